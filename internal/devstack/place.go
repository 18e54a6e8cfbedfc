package devstack

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	growth "github.com/zakibelm/astrogrowth"
)

// maxSocketPath is the longest path of a unix socket that every system here can bind: sun_path has 108 bytes on Linux
// and 104 on macOS, one of them for the terminating zero.
const maxSocketPath = 103

// place is where one server keeps its things, and the account that it runs under.
type place struct {
	base    string   // the data directory, or what stands in for it
	data    string   // the server's own directory
	sockets string   // the directory of its socket; nobody else may enter it
	socket  string   // the socket
	log     string   // what the server prints
	as      *account // nil: the account of this process
}

// newPlace decides where the server called name lives and makes the directories around its data, not the data itself.
func newPlace(cfg Config, name, socket string, accounts ...string) (place, error) {
	if cfg.DataDir == "" {
		return place{}, growth.InvalidField("devstack", "DataDir", "the data directory must be named")
	}
	dir, err := filepath.Abs(cfg.DataDir)
	if err != nil {
		return place{}, fmt.Errorf("data directory %q: %w", cfg.DataDir, err)
	}
	if err = mkdirs(dir, traversable(cfg.host.euid)); err != nil {
		return place{}, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return place{}, fmt.Errorf("data directory: %w", err)
	}
	if err := ours(cfg.host.euid, filepath.Join(dir, name), filepath.Join(dir, "logs"), dir); err != nil {
		return place{}, err
	}
	p := place{base: dir, log: filepath.Join(dir, "logs", name+".log")}
	if err := mkdirs(filepath.Dir(p.log), 0o700); err != nil {
		return place{}, err
	}
	if err := p.settle(cfg, name, accounts); err != nil {
		return place{}, err
	}
	p.data = filepath.Join(p.base, name)
	return p, p.settleSocket(cfg, dir, name, socket)
}

// settle finds a base directory that the server's account can reach. Where it cannot, the data moves to a place of
// root's: the permissions of directories above, which are somebody else's decision, are never widened.
func (p *place) settle(cfg Config, name string, accounts []string) error {
	if cfg.host.euid != 0 {
		return nil
	}
	for _, base := range []string{p.base, filepath.Join(cfg.host.stateDir, shortHash(p.base))} {
		as, err := accountFor(filepath.Join(base, name), accounts)
		if err != nil {
			return err
		}
		if err := mkdirs(base, traversable(cfg.host.euid)); err != nil {
			return err
		}
		if !reachable(base, as) {
			continue
		}
		if base != p.base {
			cfg.say("%s: user %s cannot reach %s, so the data is kept in %s", name, as.name, p.base, base)
		}
		p.base, p.as = base, &as
		return nil
	}
	return growth.Errorf(growth.Conflict, "devstack", "neither %s nor %s can be reached by the account that %s runs under: choose another data directory",
		p.base, cfg.host.stateDir, name)
}

// settleSocket chooses and makes the directory of the socket.
func (p *place) settleSocket(cfg Config, dataDir, name, socket string) error {
	first := cfg.RuntimeDir
	if first == "" {
		first = filepath.Join(p.base, "run")
	}
	first, err := filepath.Abs(first)
	if err != nil {
		return fmt.Errorf("runtime directory %q: %w", cfg.RuntimeDir, err)
	}
	short := filepath.Join(cfg.host.tmpDir, "astrogrowth-"+strconv.Itoa(cfg.host.euid)+"-"+shortHash(dataDir))
	for _, root := range []string{first, short} {
		p.sockets = filepath.Join(root, name)
		p.socket = filepath.Join(p.sockets, socket)
		// lib/pq takes a comma for the end of one host and the beginning of the next.
		if len(p.socket) > maxSocketPath || strings.Contains(p.socket, ",") {
			continue
		}
		if err := mkdirs(root, traversable(cfg.host.euid)); err != nil {
			return err
		}
		if p.as != nil && !reachable(root, *p.as) {
			continue
		}
		if root == short && !trusted(root) {
			return growth.Errorf(growth.Conflict, "devstack", "%s belongs to somebody else: remove it, or name a runtime directory", root)
		}
		return p.own(p.sockets)
	}
	return growth.Errorf(growth.Invalid, "devstack", "no usable place for a socket: %s is too long, has a comma in it, or is out of the server's reach", first)
}

// own makes dir a directory that only the server's account may enter.
func (p *place) own(dir string) error {
	err := os.Mkdir(dir, 0o700)
	made := err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("directory of a server: %w", err)
	}
	info, err := os.Lstat(dir) // not Stat: a symbolic link here is nothing that we made
	if err != nil {
		return fmt.Errorf("directory of a server: %w", err)
	}
	if !info.IsDir() {
		return growth.Errorf(growth.Conflict, "devstack", "%s is in the way: it is no directory", dir)
	}
	uid, gid := os.Geteuid(), os.Getegid()
	if p.as != nil {
		uid, gid = p.as.uid, p.as.gid
	}
	owner, _ := ownerOf(info)
	if owner != uid {
		// Only root can hand it over, and does so only where nobody else can have put something in its way.
		if p.as == nil || !made && !trusted(filepath.Dir(dir)) {
			return foreign(dir, owner, uid)
		}
		if err := os.Chown(dir, uid, gid); err != nil {
			return fmt.Errorf("directory of a server: %w", err)
		}
	}
	if info.Mode().Perm() != 0o700 {
		if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // it is a directory
			return fmt.Errorf("directory of a server: %w", err)
		}
	}
	return nil
}

// ours refuses directories of somebody else, before the first of many obscure errors that they would lead to.
func ours(euid int, dirs ...string) error {
	if euid == 0 {
		return nil
	}
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil {
			continue // it is yet to be made
		}
		if owner, _ := ownerOf(info); owner != euid {
			return foreign(dir, owner, euid)
		}
	}
	return nil
}

func foreign(dir string, owner, uid int) error {
	return growth.Errorf(growth.Conflict, "devstack",
		"%s belongs to user %d and this would run as user %d: start it as the user who made it, or choose another data directory", dir, owner, uid)
}

// accountFor is who owns data already, whoever that is, else the first of names that exists: a cluster can be opened by
// its owner only, and packages installed later must not change who that is.
func accountFor(data string, names []string) (account, error) {
	if info, err := os.Lstat(data); err == nil && info.IsDir() {
		if uid, gid := ownerOf(info); uid > 0 {
			a := account{name: strconv.Itoa(uid), uid: uid, gid: gid}
			if u, err := user.LookupId(a.name); err == nil {
				a.name = u.Username
			}
			return a, nil
		}
	}
	return accountNamed(names...)
}

// traversable is the mode of directories above a server's own: root lets the servers' accounts through to what is
// theirs, without a view of what else there is; everybody else keeps them shut.
func traversable(euid int) fs.FileMode {
	if euid == 0 {
		return 0o711
	}
	return 0o700
}

// mkdirs is os.MkdirAll with the mode kept from the umask, for those directories that it makes and no others.
func mkdirs(dir string, mode fs.FileMode) error {
	info, err := os.Stat(dir)
	if err == nil {
		if !info.IsDir() {
			return growth.Errorf(growth.Conflict, "devstack", "%s is in the way: it is no directory", dir)
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("directory: %w", err)
	}
	if err = mkdirs(filepath.Dir(dir), mode); err != nil {
		return err
	}
	err = os.Mkdir(dir, mode)
	if errors.Is(err, fs.ErrExist) {
		return nil // by a start of the other server at the same time
	}
	if err == nil {
		err = os.Chmod(dir, mode) // past the umask
	}
	if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	return nil
}

// reachable says whether a may pass through dir and every directory above it.
func reachable(dir string, a account) bool {
	for {
		info, err := os.Stat(dir)
		if err != nil || !mayPass(info, a) {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}

func mayPass(info fs.FileInfo, a account) bool {
	uid, gid := ownerOf(info)
	switch {
	case uid == a.uid:
		return info.Mode()&0o100 != 0
	case gid == a.gid:
		return info.Mode()&0o010 != 0
	}
	return info.Mode()&0o001 != 0
}

// trusted says whether dir is a directory of ours into which nobody else can put anything.
func trusted(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return false
	}
	uid, _ := ownerOf(info)
	return uid == os.Geteuid() && info.Mode()&0o022 == 0
}

func ownerOf(info fs.FileInfo) (uid, gid int) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, -1
	}
	return int(st.Uid), int(st.Gid)
}

func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}
