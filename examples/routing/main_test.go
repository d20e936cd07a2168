package main

import (
	"bytes"
	"context"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRun: Tale's last layers send dialogue and narration to different experts,
// by more than chance; the picture has a square for each layer and expert.
func TestRun(t *testing.T) {
	tr, err := record(context.Background(), "", tale, 2000)
	if err != nil {
		t.Fatal(err)
	}
	if len(tr.layers) != 4 || tr.experts != 16 || len(tr.choice[4]) != len(tr.tokens) {
		t.Fatalf("%d layers, %d experts, %d tokens of %d", len(tr.layers), tr.experts, len(tr.choice[4]), len(tr.tokens))
	}
	spoken := dialogue(tr.tokens)
	for _, l := range []int{3, 4} {
		if d, chance := tr.distance(l, spoken), tr.shuffled(l, spoken); d <= chance {
			t.Errorf("layer %d: distance %.3f, by chance up to %.3f", l, d, chance)
		}
	}
	var b bytes.Buffer
	if err := heatMap(&b, tr); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	if s := img.Bounds().Size(); s.X != 16*cell+1 || s.Y != 4*cell+1 {
		t.Errorf("picture of %v", s)
	}
}

func TestDialogue(t *testing.T) {
	got := dialogue([]string{"He", " said", ",", ` "`, "Go", `!"`, " and", " went", ".\n", ` "`, "open", "\n", "end"})
	want := []bool{false, false, false, true, true, true, false, false, false, true, true, true, false}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("token %d: %v", i, got[i])
		}
	}
}

// TestPage runs the page's script in a headless browser and looks at what it
// built. Skipped where there is no browser.
func TestPage(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium")
	}
	dir := t.TempDir()
	out := filepath.Join(dir, "routing")
	var text bytes.Buffer
	if err := run(context.Background(), &text, "", "", out, 300); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--user-data-dir="+filepath.Join(dir, "profile"), "--dump-dom", "file://"+out+".html")
	dom, err := cmd.Output()
	if err != nil {
		t.Skipf("the browser does not run here: %v", err)
	}
	for what, want := range map[string]int{"<td": 4 * 16, "<option": 4, "<span": 300} {
		if n := strings.Count(string(dom), what); n != want {
			t.Errorf("%d of %s, want %d", n, what, want)
		}
	}
	if _, err := os.Stat(out + ".png"); err != nil {
		t.Error(err)
	}
}
