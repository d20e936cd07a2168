package api

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	_ "github.com/coterie-go/coterie/expert"
	_ "github.com/coterie-go/coterie/kernels"
	_ "github.com/coterie-go/coterie/moe"
	_ "github.com/coterie-go/coterie/moe/chat"
	_ "github.com/coterie-go/coterie/moe/grammar"
	_ "github.com/coterie-go/coterie/moe/moetest"
	_ "github.com/coterie-go/coterie/moe/tokenizer"
	_ "github.com/coterie-go/coterie/quant"
	_ "github.com/coterie-go/coterie/router"
	_ "github.com/coterie-go/coterie/tensor"
	"github.com/stretchr/testify/require"
)

// closeOnExec is Linux's O_CLOEXEC, as /proc shows it.
const closeOnExec = 0o2000000

// TestMain, in the process that TestImport starts, says what there is before any
// test runs: what importing the packages has left.
func TestMain(m *testing.M) {
	if os.Getenv("COTERIE_TEST_IMPORT") == "" {
		os.Exit(m.Run())
	}
	fmt.Println("goroutines", runtime.NumGoroutine())
	fds, _ := filepath.Glob("/proc/self/fd/*")
	inherited := strings.Split(os.Getenv("COTERIE_TEST_IMPORT"), "\n")
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		if slices.Contains(inherited, target) {
			continue
		}
		switch n := filepath.Base(fd); {
		case err != nil, n == "0", n == "1", n == "2": // gone is what Glob itself opened
		case strings.HasPrefix(target, "anon_inode:"): // the runtime's poller, for Glob
		case strings.HasPrefix(target, "/sys/fs/cgroup/"): // the runtime's, for GOMAXPROCS
		case target == "/dev/null", strings.HasPrefix(target, "pipe:"): // what Command gives it
		default:
			fmt.Println("open", target)
		}
	}
	os.Exit(0)
}

// TestImport: importing every public package starts no goroutine, keeps nothing
// open and prints nothing.
func TestImport(t *testing.T) {
	inherited := "1"
	fds, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range fds { // whoever started the test may have left files open, which a process of Go's never passes on
		target, err := os.Readlink(fd)
		info, err2 := os.ReadFile("/proc/self/fdinfo/" + filepath.Base(fd))
		var pos, flags int
		if n, _ := fmt.Sscanf(string(info), "pos: %d\nflags: %o", &pos, &flags); err == nil && err2 == nil && n == 2 && flags&closeOnExec == 0 {
			inherited += "\n" + target
		}
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "COTERIE_TEST_IMPORT="+inherited)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Equal(t, "goroutines 1\n", string(out))
	require.Empty(t, stderr.String())
}
