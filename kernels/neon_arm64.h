// Instructions that Go's assembler for arm64 does not know, as words. d, n, m are
// register numbers in the Arm manual's order (destination first), i is an
// element, s a shift. The comment is the instruction in the manual's notation:
// TestNEONEncodings disassembles the words and compares.
//
// An element operand of 16 bits must lie in registers 0 to 15.
//
// Registers are cleared by VMOVI: to an Arm core the exclusive or of a register
// with itself depends on the register, and loads to lanes depend on the register's
// other lanes. Chains of such cost half of the speed of a dot product.

// float32, 4 lanes
#define FADD_4S(d, n, m) WORD $(0x4e20d400 | (m)<<16 | (n)<<5 | (d)) // fadd vd.4s, vn.4s, vm.4s
#define FSUB_4S(d, n, m) WORD $(0x4ea0d400 | (m)<<16 | (n)<<5 | (d)) // fsub vd.4s, vn.4s, vm.4s
#define FMUL_4S(d, n, m) WORD $(0x6e20dc00 | (m)<<16 | (n)<<5 | (d)) // fmul vd.4s, vn.4s, vm.4s
#define FDIV_4S(d, n, m) WORD $(0x6e20fc00 | (m)<<16 | (n)<<5 | (d)) // fdiv vd.4s, vn.4s, vm.4s
#define FMLA_4S(d, n, m) WORD $(0x4e20cc00 | (m)<<16 | (n)<<5 | (d)) // fmla vd.4s, vn.4s, vm.4s
#define FMLS_4S(d, n, m) WORD $(0x4ea0cc00 | (m)<<16 | (n)<<5 | (d)) // fmls vd.4s, vn.4s, vm.4s
#define FCMGT_4S(d, n, m) WORD $(0x6ea0e400 | (m)<<16 | (n)<<5 | (d)) // fcmgt vd.4s, vn.4s, vm.4s
#define FABS_4S(d, n) WORD $(0x4ea0f800 | (n)<<5 | (d)) // fabs vd.4s, vn.4s
#define FNEG_4S(d, n) WORD $(0x6ea0f800 | (n)<<5 | (d)) // fneg vd.4s, vn.4s
#define FMAXNMV_4S(d, n) WORD $(0x6e30c800 | (n)<<5 | (d)) // fmaxnmv sd, vn.4s
#define FADDP_2S(d, n) WORD $(0x7e30d800 | (n)<<5 | (d)) // faddp sd, vn.2s
#define FADDP_4S(d, n, m) WORD $(0x6e20d400 | (m)<<16 | (n)<<5 | (d)) // faddp vd.4s, vn.4s, vm.4s
#define FMUL_4S_S(d, n, m, i) WORD $(0x4f809000 | ((i)&1)<<21 | ((i)>>1)<<11 | (m)<<16 | (n)<<5 | (d)) // fmul vd.4s, vn.4s, vm.s[i]
#define FMLA_4S_S(d, n, m, i) WORD $(0x4f801000 | ((i)&1)<<21 | ((i)>>1)<<11 | (m)<<16 | (n)<<5 | (d)) // fmla vd.4s, vn.4s, vm.s[i]

// conversions
#define FRINTN_4S(d, n) WORD $(0x4e218800 | (n)<<5 | (d)) // frintn vd.4s, vn.4s
#define FCVTNS_4S(d, n) WORD $(0x4e21a800 | (n)<<5 | (d)) // fcvtns vd.4s, vn.4s
#define SCVTF_4S(d, n) WORD $(0x4e21d800 | (n)<<5 | (d)) // scvtf vd.4s, vn.4s
#define FCVTL_4S(d, n) WORD $(0x0e217800 | (n)<<5 | (d)) // fcvtl vd.4s, vn.4h
#define FCVTL2_4S(d, n) WORD $(0x4e217800 | (n)<<5 | (d)) // fcvtl2 vd.4s, vn.8h
#define SHLL_4S(d, n) WORD $(0x2e613800 | (n)<<5 | (d)) // shll vd.4s, vn.4h, #16
#define SHLL2_4S(d, n) WORD $(0x6e613800 | (n)<<5 | (d)) // shll2 vd.4s, vn.8h, #16
#define SXTL_8H(d, n) WORD $(0x0f08a400 | (n)<<5 | (d)) // sxtl vd.8h, vn.8b
#define SXTL2_8H(d, n) WORD $(0x4f08a400 | (n)<<5 | (d)) // sxtl2 vd.8h, vn.16b
#define SXTL_4S(d, n) WORD $(0x0f10a400 | (n)<<5 | (d)) // sxtl vd.4s, vn.4h
#define SXTL2_4S(d, n) WORD $(0x4f10a400 | (n)<<5 | (d)) // sxtl2 vd.4s, vn.8h
#define XTN_8B(d, n) WORD $(0x0e212800 | (n)<<5 | (d)) // xtn vd.8b, vn.8h
#define XTN2_16B(d, n) WORD $(0x4e212800 | (n)<<5 | (d)) // xtn2 vd.16b, vn.8h
#define XTN_4H(d, n) WORD $(0x0e612800 | (n)<<5 | (d)) // xtn vd.4h, vn.4s
#define XTN2_8H(d, n) WORD $(0x4e612800 | (n)<<5 | (d)) // xtn2 vd.8h, vn.4s

// integers
#define SSHR_4S(d, n, s) WORD $(0x4f000400 | (64-(s))<<16 | (n)<<5 | (d)) // sshr vd.4s, vn.4s, #s
#define USHL_4S(d, n, m) WORD $(0x6ea04400 | (m)<<16 | (n)<<5 | (d)) // ushl vd.4s, vn.4s, vm.4s
#define CMGT_4S(d, n, m) WORD $(0x4ea03400 | (m)<<16 | (n)<<5 | (d)) // cmgt vd.4s, vn.4s, vm.4s
#define SUB_16B(d, n, m) WORD $(0x6e208400 | (m)<<16 | (n)<<5 | (d)) // sub vd.16b, vn.16b, vm.16b
#define MUL_4S(d, n, m) WORD $(0x4ea09c00 | (m)<<16 | (n)<<5 | (d)) // mul vd.4s, vn.4s, vm.4s
#define MLA_4S(d, n, m) WORD $(0x4ea09400 | (m)<<16 | (n)<<5 | (d)) // mla vd.4s, vn.4s, vm.4s
#define MUL_4S_S(d, n, m, i) WORD $(0x4f808000 | ((i)&1)<<21 | ((i)>>1)<<11 | (m)<<16 | (n)<<5 | (d)) // mul vd.4s, vn.4s, vm.s[i]
#define MLA_4S_S(d, n, m, i) WORD $(0x6f800000 | ((i)&1)<<21 | ((i)>>1)<<11 | (m)<<16 | (n)<<5 | (d)) // mla vd.4s, vn.4s, vm.s[i]
#define SMULL_4S(d, n, m) WORD $(0x0e60c000 | (m)<<16 | (n)<<5 | (d)) // smull vd.4s, vn.4h, vm.4h
#define SMULL2_4S(d, n, m) WORD $(0x4e60c000 | (m)<<16 | (n)<<5 | (d)) // smull2 vd.4s, vn.8h, vm.8h
#define SMLAL_4S(d, n, m) WORD $(0x0e608000 | (m)<<16 | (n)<<5 | (d)) // smlal vd.4s, vn.4h, vm.4h
#define SMLAL2_4S(d, n, m) WORD $(0x4e608000 | (m)<<16 | (n)<<5 | (d)) // smlal2 vd.4s, vn.8h, vm.8h
#define SMLAL_4S_H(d, n, m, i) WORD $(0x0f402000 | ((i)&1)<<20 | ((i)>>1&1)<<21 | ((i)>>2)<<11 | (m)<<16 | (n)<<5 | (d)) // smlal vd.4s, vn.4h, vm.h[i]
#define SMLAL2_4S_H(d, n, m, i) WORD $(0x4f402000 | ((i)&1)<<20 | ((i)>>1&1)<<21 | ((i)>>2)<<11 | (m)<<16 | (n)<<5 | (d)) // smlal2 vd.4s, vn.8h, vm.h[i]
#define SADDLV_16B(d, n) WORD $(0x4e303800 | (n)<<5 | (d)) // saddlv hd, vn.16b
#define SADDLP_8H(d, n) WORD $(0x4e202800 | (n)<<5 | (d)) // saddlp vd.8h, vn.16b
#define SADDLP_4S(d, n) WORD $(0x4e602800 | (n)<<5 | (d)) // saddlp vd.4s, vn.8h

// FEAT_DotProd
#define SDOT_4S(d, n, m) WORD $(0x4e809400 | (m)<<16 | (n)<<5 | (d)) // sdot vd.4s, vn.16b, vm.16b
#define SDOT_4S_4B(d, n, m, i) WORD $(0x4f80e000 | ((i)&1)<<21 | ((i)>>1)<<11 | (m)<<16 | (n)<<5 | (d)) // sdot vd.4s, vn.16b, vm.4b[i]

// FEAT_I8MM: d (2,2) += n (2,8) * transpose of m (2,8)
#define SMMLA_4S(d, n, m) WORD $(0x4e80a400 | (m)<<16 | (n)<<5 | (d)) // smmla vd.4s, vn.16b, vm.16b
