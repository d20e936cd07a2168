//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// The codes of a super-block, as the unpackers for q4_K, q5_K and q6_K give them.

// func codesQ4K(q *[256]int8, src *byte)
TEXT ·codesQ4K(SB), NOSPLIT, $0-16
	MOVD  q+0(FP), R0
	MOVD  src+8(FP), R1
	ADD   $16, R1
	MOVD  $4, R2
	VMOVI $15, V31.B16

chunk:
	VLD1.P 32(R1), [V2.B16, V3.B16]
	VAND   V31.B16, V2.B16, V0.B16
	VAND   V31.B16, V3.B16, V1.B16
	VUSHR  $4, V2.B16, V2.B16
	VUSHR  $4, V3.B16, V3.B16
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(R0)
	SUBS   $1, R2
	BNE    chunk
	RET

// func codesQ5K(q *[256]int8, src *byte)
TEXT ·codesQ5K(SB), NOSPLIT, $0-16
	MOVD  q+0(FP), R0
	MOVD  src+8(FP), R1
	ADD   $16, R1
	MOVD  $4, R2
	VMOVI $15, V31.B16
	VMOVI $16, V30.B16
	VLD1.P 32(R1), [V16.B16, V17.B16]

chunk: // the next two of the fifth bits are in bits 0 and 1
	VLD1.P 32(R1), [V2.B16, V3.B16]
	VAND   V31.B16, V2.B16, V0.B16
	VAND   V31.B16, V3.B16, V1.B16
	VUSHR  $4, V2.B16, V2.B16
	VUSHR  $4, V3.B16, V3.B16
	VSHL   $4, V16.B16, V4.B16
	VSHL   $4, V17.B16, V5.B16
	VSHL   $3, V16.B16, V6.B16
	VSHL   $3, V17.B16, V7.B16
	VUSHR  $2, V16.B16, V16.B16
	VUSHR  $2, V17.B16, V17.B16
	VAND   V30.B16, V4.B16, V4.B16
	VAND   V30.B16, V5.B16, V5.B16
	VAND   V30.B16, V6.B16, V6.B16
	VAND   V30.B16, V7.B16, V7.B16
	VORR   V4.B16, V0.B16, V0.B16
	VORR   V5.B16, V1.B16, V1.B16
	VORR   V6.B16, V2.B16, V2.B16
	VORR   V7.B16, V3.B16, V3.B16
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(R0)
	SUBS   $1, R2
	BNE    chunk
	RET

// JOIN sets low to low | high's bits 4 and 5, less 32.
#define JOIN(low, high) \
	VAND V30.B16, high.B16, high.B16; \
	VORR high.B16, low.B16, low.B16; \
	VSUB V29.B16, low.B16, low.B16

// func codesQ6K(q *[256]int8, src *byte)
TEXT ·codesQ6K(SB), NOSPLIT, $0-16
	MOVD  q+0(FP), R0
	MOVD  src+8(FP), R1
	ADD   $128, R1, R3
	MOVD  $2, R2
	VMOVI $15, V31.B16
	VMOVI $48, V30.B16
	VMOVI $32, V29.B16

half:
	VLD1.P 64(R1), [V4.B16, V5.B16, V6.B16, V7.B16]
	VLD1.P 32(R3), [V16.B16, V17.B16]
	VAND   V31.B16, V4.B16, V0.B16
	VAND   V31.B16, V5.B16, V1.B16
	VAND   V31.B16, V6.B16, V2.B16
	VAND   V31.B16, V7.B16, V3.B16
	VUSHR  $4, V4.B16, V4.B16
	VUSHR  $4, V5.B16, V5.B16
	VUSHR  $4, V6.B16, V6.B16
	VUSHR  $4, V7.B16, V7.B16
	VSHL   $4, V16.B16, V18.B16
	VSHL   $4, V17.B16, V19.B16
	VSHL   $2, V16.B16, V20.B16
	VSHL   $2, V17.B16, V21.B16
	VUSHR  $2, V16.B16, V22.B16
	VUSHR  $2, V17.B16, V23.B16
	JOIN(V0, V18)
	JOIN(V1, V19)
	JOIN(V2, V20)
	JOIN(V3, V21)
	JOIN(V4, V16)
	JOIN(V5, V17)
	JOIN(V6, V22)
	JOIN(V7, V23)
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(R0)
	VST1.P [V4.B16, V5.B16, V6.B16, V7.B16], 64(R0)
	SUBS   $1, R2
	BNE    half
	RET
