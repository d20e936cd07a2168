//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// func joinGroups(dst, x *float32, n int, c, b float32)
TEXT ·joinGroups(SB), NOSPLIT, $0-32
	MOVD  dst+0(FP), R0
	MOVD  x+8(FP), R1
	MOVD  n+16(FP), R2
	FMOVS c+24(FP), F30
	FMOVS b+28(FP), F31
	CBZ   R2, done

loop:
	VLD1   (R0), [V0.S4]
	VLD1.P 16(R1), [V1.S4]
	FMUL_4S_S(0, 0, 30, 0)
	FMLA_4S_S(0, 1, 31, 0)
	VST1.P [V0.S4], 16(R0)
	SUBS   $1, R2
	BNE    loop

done:
	RET
