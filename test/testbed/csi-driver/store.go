package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	kindFilesystem = "filesystem"
	kindBlock      = "block"
	diskFile       = "disk.img"
)

// volume is what is known of a volume or a snapshot: one JSON file each. The
// file is written last, so a subvolume without it was never promised to anyone.
type volume struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Kind      string    `json:"kind"`
	SizeBytes int64     `json:"sizeBytes"`
	SourceID  string    `json:"sourceId,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
	// How the volume is attached to its node; empty when it isn't.
	Attached string `json:"attached,omitempty"`
}

// store keeps volumes and snapshots of one node as subvolumes of a btrfs folder.
// One lock around every change: this is a test driver.
type store struct {
	folder, node string
	mutex        sync.Mutex
}

func openStore(folder, node string) (*store, error) {
	for _, name := range []string{"volumes", "snapshots", "meta/volumes", "meta/snapshots"} {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o700); err != nil {
			return nil, err
		}
	}
	return &store{folder: folder, node: node}, nil
}

// idFor is the same for the same name, which makes creating idempotent.
func (s *store) idFor(prefix, name string) string {
	sum := sha256.Sum256([]byte(name))
	return s.node + ":" + prefix + "-" + hex.EncodeToString(sum[:10])
}

// nodeOf tells the node from a volume's or snapshot's id.
func nodeOf(id string) string {
	node, _, found := strings.Cut(id, ":")
	if !found {
		return ""
	}
	return node
}

func (s *store) path(group, id string) string {
	return filepath.Join(s.folder, group, filepath.Base(strings.ReplaceAll(id, ":", "_")))
}

func (s *store) metaPath(group, id string) string {
	return s.path("meta/"+group, id) + ".json"
}

// find returns nil when there is none.
func (s *store) find(group, id string) (*volume, error) {
	text, err := os.ReadFile(s.metaPath(group, id))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found := &volume{}
	return found, json.Unmarshal(text, found)
}

func (s *store) list(group string) ([]*volume, error) {
	files, err := filepath.Glob(filepath.Join(s.folder, "meta", group, "*.json"))
	if err != nil {
		return nil, err
	}
	sort.Strings(files)
	var found []*volume
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		one := &volume{}
		if err := json.Unmarshal(text, one); err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, nil
}

func (s *store) save(group string, one *volume) error {
	text, err := json.Marshal(one)
	if err != nil {
		return err
	}
	path := s.metaPath(group, one.ID)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// createVolume makes an empty volume, or a writable copy of `from` (a path of a subvolume) when given.
func (s *store) createVolume(one *volume, from string) error {
	target := s.path("volumes", one.ID)
	if err := deleteSubvolume(target); err != nil {
		return err
	}
	if from == "" {
		if err := command("btrfs", "subvolume", "create", target); err != nil {
			return err
		}
		if err := os.Chmod(target, 0o755); err != nil {
			return err
		}
	} else if err := command("btrfs", "subvolume", "snapshot", from, target); err != nil {
		return err
	}
	if err := s.resize(one); err != nil {
		return err
	}
	return s.save("volumes", one)
}

func (s *store) createSnapshot(one *volume) error {
	target := s.path("snapshots", one.ID)
	if err := deleteSubvolume(target); err != nil {
		return err
	}
	source := s.path("volumes", one.SourceID)
	if one.Kind == kindBlock {
		if err := flushDevice(filepath.Join(source, diskFile)); err != nil {
			return err
		}
	}
	if err := command("btrfs", "subvolume", "snapshot", "-r", source, target); err != nil {
		return err
	}
	one.CreatedAt = time.Now()
	return s.save("snapshots", one)
}

func (s *store) remove(group, id string) error {
	if err := deleteSubvolume(s.path(group, id)); err != nil {
		return err
	}
	if err := os.Remove(s.metaPath(group, id)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// resize gives the volume the size it is recorded with: a quota, or the length of the disk file. Never shrinks a disk.
func (s *store) resize(one *volume) error {
	path := s.path("volumes", one.ID)
	if one.Kind == kindFilesystem {
		return command("btrfs", "qgroup", "limit", strconv.FormatInt(one.SizeBytes, 10), path)
	}
	file, err := os.OpenFile(filepath.Join(path, diskFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	status, err := file.Stat()
	if err != nil || status.Size() >= one.SizeBytes {
		return err
	}
	return file.Truncate(one.SizeBytes)
}

// usedBytes is what the volume's files refer to, as btrfs counted at its last commit.
func (s *store) usedBytes(id string) (int64, error) {
	text, err := output("btrfs", "qgroup", "show", "--raw", "-f", s.path("volumes", id))
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		if len(fields) >= 3 && strings.HasPrefix(fields[0], "0/") {
			return strconv.ParseInt(fields[1], 10, 64)
		}
	}
	return 0, fmt.Errorf("btrfs has no quota group for %s", id)
}

func deleteSubvolume(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return command("btrfs", "subvolume", "delete", path)
}

// flushDevice brings what was written to a loop device into its file, before the file is copied.
func flushDevice(file string) error {
	device, err := loopDevice(file)
	if err != nil || device == "" {
		return err
	}
	return command("blockdev", "--flushbufs", device)
}

func loopDevice(file string) (string, error) {
	text, err := output("losetup", "--noheadings", "--output", "NAME", "-j", file)
	return strings.TrimSpace(strings.Split(text, "\n")[0]), err
}

func command(program string, args ...string) error {
	_, err := output(program, args...)
	return err
}

func output(program string, args ...string) (string, error) {
	stderr := &strings.Builder{}
	run := exec.Command(program, args...)
	run.Stderr = stderr
	text, err := run.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return string(text), nil
}
