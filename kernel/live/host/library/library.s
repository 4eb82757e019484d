#include "textflag.h"

TEXT metamers·addModule(SB),NOSPLIT|NOFRAME,$0-0
	JMP	runtime·addmoduledata(SB)
