package vm

import (
	"bytes"
	"context"
	"debug/elf"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed init.sh guest.sh asleep.sh
var scripts embed.FS

// consoleFile is where the guest's kernel prints, in the directory of the machine.
const consoleFile = "console"

// machine is what stays of a machine while its power is off: the TPM's state and the
// share are in its directory.
type machine struct {
	Config
	dir            string
	kernel, initrd string
}

func (m *machine) share() string { return filepath.Join(m.dir, "share") }

// assemble makes a machine in dir, to be booted.
func assemble(ctx context.Context, dir string, c Config) (*machine, error) {
	kernel, release, err := kernel()
	if err != nil {
		return nil, err
	}
	m := &machine{Config: c, dir: dir, kernel: kernel, initrd: filepath.Join(dir, "initrd")}
	if err := makeInitrd(ctx, m.initrd, filepath.Join(dir, "initramfs"), release); err != nil {
		return nil, fmt.Errorf("making the initramfs: %w", err)
	}
	return m, os.Mkdir(filepath.Join(dir, tpmState), 0o700)
}

// boot runs the machine until its power goes off, for the nth time from 0.
func (m *machine) boot(ctx context.Context, n int) error {
	stop, err := m.startTPM(ctx)
	if err != nil {
		return err
	}
	defer stop()
	line := fmt.Sprintf("console=ttyS0 quiet panic=-1 %s=%s %s=%d", parameter, m.share(), bootParameter, n)
	cmd := child(ctx, "qemu-system-x86_64",
		"-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", strconv.Itoa(m.MemoryMiB),
		"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
		"-chardev", "file,id=console,append=on,path="+filepath.Join(m.dir, consoleFile), "-serial", "chardev:console",
		"-kernel", m.kernel, "-initrd", m.initrd, "-append", line,
		"-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap",
		"-device", "virtio-9p-pci,fsdev=host,mount_tag=host",
		"-fsdev", "local,id=share,path="+m.share()+",security_model=none",
		"-device", "virtio-9p-pci,fsdev=share,mount_tag=share",
		"-device", "virtio-rng-pci",
		"-chardev", "socket,id=tpm,path="+filepath.Join(m.dir, tpmSocket),
		"-tpmdev", "emulator,id=tpm,chardev=tpm", "-device", "tpm-crb,tpmdev=tpm",
	)
	out, err := cmd.CombinedOutput()
	switch {
	case ctx.Err() != nil:
		return errors.New("the guest has run for longer than it may")
	case err != nil:
		return fmt.Errorf("qemu: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// child makes a command that is killed when ctx or this process ends.
func child(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second
	return cmd
}

// In the directory of the machine: the TPM's state, and where QEMU reaches it.
const (
	tpmState  = "tpm"
	tpmSocket = "tpm.sock"
)

// startTPM starts a software TPM with the state that there is, at first none.
func (m *machine) startTPM(ctx context.Context) (stop func(), err error) {
	socket := filepath.Join(m.dir, tpmSocket)
	if err := os.RemoveAll(socket); err != nil { // from the last time
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := child(ctx, "swtpm", "socket", "--tpm2", "--tpmstate", "dir="+filepath.Join(m.dir, tpmState),
		"--ctrl", "type=unixio,path="+socket, "--terminate")
	if m.LogTPM {
		cmd.Args = append(cmd.Args, "--log", fmt.Sprintf("level=%d,file=%s", tpmLogLevel, filepath.Join(m.share(), tpmLogFile)))
	}
	var complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &complaint, &complaint
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("swtpm: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // It was killed, or its complaint tells more.
	}()
	stop = func() { cancel(); <-ended }
	for !exists(socket) {
		select {
		case <-ended:
			cancel()
			return nil, fmt.Errorf("swtpm: %s", bytes.TrimSpace(complaint.Bytes()))
		case <-time.After(10 * time.Millisecond):
		}
	}
	return stop, nil
}

// kernel finds the newest kernel that has its modules with it.
func kernel() (image, release string, err error) {
	images, err := filepath.Glob("/boot/vmlinuz-*")
	if err != nil {
		return "", "", err
	}
	slices.Sort(images)
	for _, image := range slices.Backward(images) {
		release := strings.TrimPrefix(filepath.Base(image), "vmlinuz-")
		if exists("/lib/modules/" + release + "/modules.dep") {
			return image, release, nil
		}
	}
	return "", "", errors.New("no kernel in /boot that has modules in /lib/modules; on Debian: apt-get install linux-image-amd64")
}

// modules are those that Debian does not build into its kernel.
func modules() []string {
	return []string{"virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_rng", "uhid", "hid-generic"}
}

// makeInitrd packs busybox, init.sh and the modules into the file initrd; dir is made
// to collect them in.
func makeInitrd(ctx context.Context, initrd, dir, release string) error {
	busybox, err := staticBusybox()
	if err != nil {
		return err
	}
	for _, sub := range []string{"bin", "modules"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return err
		}
	}
	if err := copyFile(filepath.Join(dir, "bin", "busybox"), busybox); err != nil {
		return err
	}
	for _, applet := range []string{"sh", "mkdir", "mount", "insmod", "switch_root"} { // what init.sh uses
		if err := os.Symlink("busybox", filepath.Join(dir, "bin", applet)); err != nil {
			return err
		}
	}
	init, err := scripts.ReadFile("init.sh")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "init"), init, 0o700); err != nil {
		return err
	}
	if err := collectModules(ctx, filepath.Join(dir, "modules"), release); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", `find . | cpio --quiet -o -H newc >"$0"`, initrd)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cpio: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// staticBusybox finds a busybox that runs without libraries.
func staticBusybox() (string, error) {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return "", err
	}
	if !isStatic(busybox) {
		return "", fmt.Errorf("%s needs libraries, which an initramfs has not; on Debian: apt-get install busybox-static", busybox)
	}
	return busybox, nil
}

// isStatic tells whether a program runs without libraries.
func isStatic(program string) bool {
	file, err := elf.Open(program)
	if err != nil {
		return false
	}
	defer file.Close() //nolint:errcheck // It was only read.
	libraries, err := file.ImportedLibraries()
	return err != nil || len(libraries) == 0
}

// collectModules copies the modules and what they need to dir, and writes their order
// to the file dir/order.
func collectModules(ctx context.Context, dir, release string) error {
	var order []string
	for _, module := range modules() {
		// Not everybody's PATH has sbin in it.
		out, err := exec.CommandContext(ctx, "sh", "-c",
			`PATH=$PATH:/usr/sbin:/sbin; exec modprobe -S "$0" --show-depends "$1"`, release, module).Output()
		if err != nil {
			return fmt.Errorf("modprobe %s: %w", module, err)
		}
		for line := range strings.Lines(string(out)) {
			file, ok := strings.CutPrefix(strings.TrimSpace(line), "insmod ")
			if !ok || slices.Contains(order, filepath.Base(file)) {
				continue // built in, or there already
			}
			order = append(order, filepath.Base(file))
			if err := copyFile(filepath.Join(dir, filepath.Base(file)), file); err != nil {
				return err
			}
		}
	}
	return os.WriteFile(filepath.Join(dir, "order"), []byte(strings.Join(order, "\n")+"\n"), 0o600)
}

func copyFile(to, from string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // It was only read.
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}
