//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"
#include "small_arm64.h"

// Tiles of blocks of 32, straight from the blocks.

// PUT4 stores 16 codes of four rows in a-d as (k/4, row, 4), off bytes into a
// group of eight rows.
#define PUT4(off, a, b, c, d) \
	VTRN1 b.S4, a.S4, V20.S4; \
	VTRN2 b.S4, a.S4, V21.S4; \
	VTRN1 d.S4, c.S4, V23.S4; \
	VTRN2 d.S4, c.S4, V24.S4; \
	VTRN1 V23.D2, V20.D2, V16.D2; \
	VTRN1 V24.D2, V21.D2, V17.D2; \
	VTRN2 V23.D2, V20.D2, V18.D2; \
	VTRN2 V24.D2, V21.D2, V19.D2; \
	FMOVQ F16, off(R0); \
	FMOVQ F17, (off+32)(R0); \
	FMOVQ F18, (off+64)(R0); \
	FMOVQ F19, (off+96)(R0)

// PUT8 stores 16 codes of two rows as (k/8, row, 8).
#define PUT8(off, a, b) \
	VZIP1 b.D2, a.D2, V16.D2; \
	VZIP2 b.D2, a.D2, V17.D2; \
	FMOVQ F16, off(R0); \
	FMOVQ F17, (off+64)(R0)

#define TAKE(ROW, p, i, lo, hi) \
	ROW(p, i); \
	VORR V20.B16, V20.B16, lo.B16; \
	VORR V21.B16, V21.B16, hi.B16

#define FILL(CONSTANTS, ROW, SCALES) \
	MOVD  t+0(FP), R0; \
	MOVD  p+8(FP), R1; \
	MOVD  n+16(FP), R2; \
	MOVBU mm+24(FP), R3; \
	CONSTANTS; \
	LDP   0(R1), (R10, R11); \
	LDP   16(R1), (R12, R13); \
	LDP   32(R1), (R14, R15); \
	LDP   48(R1), (R16, R17); \
block: \
	VMOVI $0, V22.B16; \
	TAKE(ROW, R10, 0, V0, V8); \
	TAKE(ROW, R11, 1, V1, V9); \
	TAKE(ROW, R12, 2, V2, V10); \
	TAKE(ROW, R13, 3, V3, V11); \
	TAKE(ROW, R14, 4, V4, V12); \
	TAKE(ROW, R15, 5, V5, V13); \
	TAKE(ROW, R16, 6, V6, V14); \
	TAKE(ROW, R17, 7, V7, V15); \
	CBNZ  R3, eight; \
	PUT4(0, V0, V1, V2, V3); \
	PUT4(16, V4, V5, V6, V7); \
	PUT4(128, V8, V9, V10, V11); \
	PUT4(144, V12, V13, V14, V15); \
	B     scales; \
eight: \
	PUT8(0, V0, V1); \
	PUT8(16, V2, V3); \
	PUT8(32, V4, V5); \
	PUT8(48, V6, V7); \
	PUT8(128, V8, V9); \
	PUT8(144, V10, V11); \
	PUT8(160, V12, V13); \
	PUT8(176, V14, V15); \
scales: \
	SCALES; \
	FMOVQ F23, 256(R0); \
	VEXT  $8, V22.B16, V22.B16, V22.B16; \
	SCALES; \
	FMOVQ F23, 272(R0); \
	ADD   $352, R0; \
	SUBS  $1, R2; \
	BNE   block; \
	RET

// func fillQ8_0(t *smallTile, p *[tileRows]unsafe.Pointer, n int, mm bool)
TEXT ·fillQ8_0(SB), NOSPLIT, $0-25
	FILL(NOTHING, ROWQ8_0, HALFSCALES)

// func fillQ4_0(t *smallTile, p *[tileRows]unsafe.Pointer, n int, mm bool)
TEXT ·fillQ4_0(SB), NOSPLIT, $0-25
	FILL(LOW4AND8, ROWQ4_0, HALFSCALES)

// func fillQ5_0(t *smallTile, p *[tileRows]unsafe.Pointer, n int, mm bool)
TEXT ·fillQ5_0(SB), NOSPLIT, $0-25
	FILL(FIFTH, ROWQ5_0, HALFSCALES)

// func fillIQ4NL(t *smallTile, p *[tileRows]unsafe.Pointer, n int, mm bool)
TEXT ·fillIQ4NL(SB), NOSPLIT, $0-25
	FILL(TABLEIQ4NL, ROWIQ4NL, HALFSCALES)

// func fillMXFP4(t *smallTile, p *[tileRows]unsafe.Pointer, n int, mm bool)
TEXT ·fillMXFP4(SB), NOSPLIT, $0-25
	FILL(TABLEFP4, ROWMXFP4, HALFE8M0)
