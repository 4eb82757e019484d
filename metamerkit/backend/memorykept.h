#pragma once

// Returns free memory to the system.
void give_back(void);
