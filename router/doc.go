// Package router chooses which experts a token is sent to, and what their outputs are multiplied by. It knows no
// model and no experts: logits go in, a choice comes out as ids []int32 and weights []float32. It imports nothing but
// the standard library.
//
// A [Spec] says how, a [Router] does it, a [Plan] groups the choices of many tokens by expert, and [Stats] counts
// them.
//
// # Equations
//
// A token's logits are z (E values, any bias of the router's own linear layer included), b is the selection bias
// (0 if there is none), k is TopK. Scores, by [Score]; the choice score is c = s + b:
//
//	Softmax         s = exp(z - max z) / Σ exp(z - max z)       w = s
//	Sigmoid         s = 1 / (1 + exp(-z))                       w = s
//	SqrtSoftplus    s = sqrt(log(1 + exp(z)))                   w = s
//	SoftmaxTopK     s = z                                       w = softmax(z) over the chosen only
//	SigmoidTopK     s = z                                       w = 1 / (1 + exp(-z))
//	SigmoidSoftmax  s = 1 / (1 + exp(-z))                       w = softmax(z) over all experts
//	SparseMixer     s = z                                       see below
//
// With groups, the E experts form G runs of E/G. A group is worth its greatest c (GroupMax) or the sum of its two
// greatest (GroupTop2Sum); the TopGroups best are kept, and in the others c is 0 (MaskToZero) or out of the question.
//
// The k experts with the greatest c are chosen, in descending order of c. Equal values, of groups too, go to the
// lower index. The bias chooses and never weighs: w is of s, or z, alone. Then, in this order,
//
//	Normalize       w = w / max(Σw + NormEps, NormMin)          the sum over the chosen, in their order
//	Scale           w = w * Scale
//	MinGate         choices with w < MinGate * max w are dropped
//
// SparseMixer (Liu et al., arXiv:2409.12136; inference form) looks at the experts not yet chosen, R. The next choice
// is the one with the greatest logit m, and its weight is its softmax over those of R that are near it:
//
//	w = 1 / Σ exp(z - m),  over z in R with (m - z) / max(|z|, m) <= 2 SparseEps
//
// so that the k weights need not add up to 1.
//
// # Families
//
// What the reference implementations (Hugging Face transformers) compute, as specs; E, k and the numbers come from a
// checkpoint's configuration:
//
//	OLMoE, Qwen2-MoE, DeepSeek-V2-Lite       Softmax [Scale]
//	Mixtral, Qwen3-MoE, Qwen3-Next, Hunyuan  Softmax, Normalize
//	Granite, gpt-oss                         SoftmaxTopK
//	DeepSeek-V2                              Softmax, Groups, TopGroups, GroupMax, MaskToZero, Scale
//	DeepSeek-V3/R1, Kimi-K2, GLM-4.5, dots1  Sigmoid, bias, Groups, TopGroups, GroupTop2Sum, MaskToZero,
//	                                         Normalize, NormEps 1e-20, Scale
//	MiniMax-M2                               Sigmoid, bias, Normalize
//	ERNIE-4.5                                Softmax, bias, Normalize, NormMin
//	LongCat-Flash                            Softmax, bias, Scale; Experts counts the identity experts too
//	Llama-4                                  SigmoidTopK, k = 1; the weight goes on the expert's input
//	DeepSeek-V4                              SqrtSoftplus, bias, Normalize, NormEps 1e-20, Scale;
//	                                         where a table of tokens chooses: [Router.Weigh]
//	GroveMoE                                 SigmoidSoftmax, Normalize
//	PhiMoE                                   SparseMixer, k = 2, SparseEps from router_jitter_noise
//
// # Numbers
//
// The same bits on every CPU: float32 with one order of operations, no product fused with a sum, and an exponential
// and a logarithm of its own. A token's route depends on its own logits and nothing else, not on the batch it
// travels in. NaN counts as minus infinity in every comparison.
package router
