package onnx_test

import "testing"

// TestSweep computes operators with all their attributes at several opsets
// (testdata/scripts/onnx_sweep.py). The outputs are onnxruntime's; gradients are held
// against central differences.
func TestSweep(t *testing.T) { runSuite(t, "sweep", true, 1e-4, 20) }

// TestModules computes torch modules as torch's exporters write them
// (testdata/scripts/onnx_modules.py). Outputs and gradients are torch's.
func TestModules(t *testing.T) { runSuite(t, "modules", true, 1e-4, 15) }

// TestLibrary is the same for small members of timm's and torchvision's families.
func TestLibrary(t *testing.T) { runSuite(t, "library", true, 1e-4, 5) }
