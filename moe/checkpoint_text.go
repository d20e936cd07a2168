package moe

import "strings"

// innerText is what takes the place of "model." and "lm_head." in the names of a
// text model's tensors where a checkpoint holds one for images or sound beside it.
// Empty stands for no change.
type innerText struct{ model, head string }

// findText looks for the text model's embedding in the places that are in use.
func findText(c *checkpoint) innerText {
	embedding := c.name("token_embd.weight", -1, 0)
	for _, t := range []innerText{
		{},
		{"language_model.model.", "language_model.lm_head."},
		{"model.language_model.", "lm_head."},
		{"model.language_model.model.", "model.language_model.lm_head."},
	} {
		if _, ok, _ := c.find(t.name(embedding)); ok {
			return t
		}
	}
	return innerText{}
}

func (t innerText) name(name string) string {
	if rest, ok := strings.CutPrefix(name, "model."); ok && t.model != "" {
		return t.model + rest
	}
	if rest, ok := strings.CutPrefix(name, "lm_head."); ok && t.head != "" {
		return t.head + rest
	}
	return name
}
