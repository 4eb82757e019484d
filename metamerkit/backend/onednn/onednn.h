// Products and convolutions by oneDNN.
#pragma once
#include "facts.h"

// Loads oneDNN from a file and registers metamers.convolve and metamers.multiply with a
// plugin, given by what its GetPjrtApi returns. Returns what is wrong, NULL if nothing is.
const char *onednn_open(void *table, const char *file);

// Returns whether the processor has instructions for bfloat16; after onednn_open only.
int onednn_bfloat16(void);
