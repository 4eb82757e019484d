package onnx_test

import "testing"

// TestNodes computes the node tests of the onnx package, all of the operators that image
// networks use (testdata/scripts/onnx_nodes.py), and compares with the outputs that
// they carry, by their own tolerance.
func TestNodes(t *testing.T) { runSuite(t, "nodes", false, 1e-3, 10) }
