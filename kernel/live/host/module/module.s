#include "textflag.h"

TEXT runtime·addmoduledata(SB),NOSPLIT|NOFRAME,$0-0
	JMP	metamers·addModule(SB)

TEXT ·added(SB),NOSPLIT|NOFRAME,$0-0
	JMP	metamers·addModule(SB)
