//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// func quantizeBlocks(q *int8, d *float32, sums *int16, x *float32, n, block int)
TEXT ·quantizeBlocks(SB), NOSPLIT, $0-48
	MOVD  q+0(FP), R0
	MOVD  d+8(FP), R1
	MOVD  sums+16(FP), R2
	MOVD  x+24(FP), R3
	MOVD  n+32(FP), R4
	MOVD  block+40(FP), R5
	MOVW  $0x42fe0000, R6 // 127
	FMOVS R6, F30
	MOVW  $0x7f800000, R7

block:
	MOVD R3, R8
	MOVD R5, R9
	VMOVI $0, V0.B16
	VMOVI $0, V1.B16
	VMOVI $0, V2.B16
	VMOVI $0, V3.B16

max: // v > max is false for NaN: they are passed over
	VLD1.P 64(R8), [V4.S4, V5.S4, V6.S4, V7.S4]
	FABS_4S(4, 4)
	FABS_4S(5, 5)
	FABS_4S(6, 6)
	FABS_4S(7, 7)
	FCMGT_4S(16, 4, 0)
	FCMGT_4S(17, 5, 1)
	FCMGT_4S(18, 6, 2)
	FCMGT_4S(19, 7, 3)
	VBIT   V16.B16, V4.B16, V0.B16
	VBIT   V17.B16, V5.B16, V1.B16
	VBIT   V18.B16, V6.B16, V2.B16
	VBIT   V19.B16, V7.B16, V3.B16
	SUBS   $16, R9
	BNE    max

	FCMGT_4S(16, 1, 0)
	VBIT  V16.B16, V1.B16, V0.B16
	FCMGT_4S(17, 3, 2)
	VBIT  V17.B16, V3.B16, V2.B16
	FCMGT_4S(16, 2, 0)
	VBIT  V16.B16, V2.B16, V0.B16
	FMAXNMV_4S(0, 0)
	FDIVS F30, F0, F20 // d = max/127
	FDIVS F0, F30, F21 // 127/max: +Inf if max is 0 or too small
	FMOVS F21, R10
	CMPW  R7, R10
	BNE   scale
	VMOVI $0, V20.B16
	VMOVI $0, V21.B16

scale:
	FMOVS.P F20, 4(R1)
	MOVD    R5, R9

round:
	VLD1.P 64(R3), [V4.S4, V5.S4, V6.S4, V7.S4]
	FMUL_4S_S(4, 4, 21, 0)
	FMUL_4S_S(5, 5, 21, 0)
	FMUL_4S_S(6, 6, 21, 0)
	FMUL_4S_S(7, 7, 21, 0)
	FCVTNS_4S(4, 4)
	FCVTNS_4S(5, 5)
	FCVTNS_4S(6, 6)
	FCVTNS_4S(7, 7)
	XTN_4H(4, 4)
	XTN2_8H(4, 5)
	XTN_4H(6, 6)
	XTN2_8H(6, 7)
	XTN_8B(4, 4)
	XTN2_16B(4, 6)
	SADDLV_16B(5, 4)
	VST1.P [V4.B16], 16(R0)
	VMOV   V5.H[0], R10
	MOVH.P R10, 2(R2)
	SUBS   $16, R9
	BNE    round

	SUBS $1, R4
	BNE  block
	RET
