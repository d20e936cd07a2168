package moe

import (
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// availableMemory returns how many bytes this process can still take, and what
// bounds them: what the system has available, or what a control group above the
// process leaves, page cache that can be dropped included. root is the file
// system's root.
func availableMemory(root fs.FS) (int64, string, error) {
	least, bound := int64(math.MaxInt64), ""
	if n, ok := field(root, "proc/meminfo", "MemAvailable:"); ok {
		least, bound = n<<10, "system"
	}
	groups, _ := fs.ReadFile(root, "proc/self/cgroup")
	for _, line := range strings.Split(string(groups), "\n") {
		// hierarchy:controllers:path, where version 2 has no controllers
		part := strings.SplitN(line, ":", 3)
		if len(part) != 3 {
			continue
		}
		v := cgroupFiles{dir: "sys/fs/cgroup", limit: "memory.max", usage: "memory.current", cache: "inactive_file"}
		switch {
		case part[0] == "0" && part[1] == "":
		case slices.Contains(strings.Split(part[1], ","), "memory"):
			v = cgroupFiles{dir: "sys/fs/cgroup/memory", limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes", cache: "total_inactive_file"}
		default:
			continue
		}
		// Every group up to the root limits. Within a container the path may be one
		// of the host's that cannot be seen; the mounted root is the group then.
		for p := path.Clean("/" + part[2]); ; p = path.Dir(p) {
			if n, ok := v.left(root, p); ok && n < least {
				least, bound = n, "control group "+p
			}
			if p == "/" {
				break
			}
		}
	}
	if bound == "" {
		return 0, "", fmt.Errorf("%w: how much is available is not known on this system: say how much to use", ErrMemory)
	}
	return max(least, 0), bound, nil
}

// cgroupFiles says how a version of control groups names things.
type cgroupFiles struct{ dir, limit, usage, cache string }

// left returns what a group's limit leaves, if it has one.
func (v cgroupFiles) left(root fs.FS, group string) (int64, bool) {
	dir := path.Join(v.dir, group)
	limit, ok1 := number(root, path.Join(dir, v.limit))
	usage, ok2 := number(root, path.Join(dir, v.usage))
	if !ok1 || !ok2 || limit >= 1<<60 { // version 1 says no limit with a huge one
		return 0, false
	}
	cache, _ := field(root, path.Join(dir, "memory.stat"), v.cache)
	return limit - usage + cache, true
}

// number reads a file that holds one number.
func number(root fs.FS, name string) (int64, bool) {
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	return n, err == nil
}

// field reads the number after a word at the start of a line.
func field(root fs.FS, name, word string) (int64, bool) {
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	for _, line := range strings.Split(string(b), "\n") {
		if w := strings.Fields(line); len(w) > 1 && w[0] == word {
			n, err := strconv.ParseInt(w[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
