package moe

import (
	"path/filepath"
	"reflect"
	"testing"
)

// TestLegacyConfig: a config.json in the spelling from before 2026 says the same.
func TestLegacyConfig(t *testing.T) {
	dirs, _ := goldenDirs(t)
	seen := 0
	for _, dir := range dirs {
		paths, err := filepath.Glob(filepath.Join(dir, "*", "config.legacy.json"))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			now, err := ReadConfig(filepath.Dir(p))
			if err != nil {
				t.Error(err)
				continue
			}
			legacy, err := ReadConfig(p)
			if err != nil {
				t.Error(err)
				continue
			}
			if !reflect.DeepEqual(legacy, now) {
				t.Errorf("%s:\n%+v\nwant\n%+v", p, legacy, now)
			}
			seen++
		}
	}
	if seen == 0 {
		t.Error("no case")
	}
}
