package daemon

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The clocks of after: suspended time counts in one and not in the other. A jump of
// less is the two being read one after the other.
const leastSuspend = 100 * time.Millisecond

// afterSuspend calls do whenever the machine has been asleep, until ctx ends.
//
// The kernel cancels a timer made so whenever the wall clock is set, and it sets it
// after each suspend; nothing has to be looked at in between.
func afterSuspend(ctx context.Context, do func()) error {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("timerfd_create", err)
	}
	timer := os.NewFile(uintptr(fd), "timerfd")
	stop := context.AfterFunc(ctx, func() { _ = timer.Close() })
	defer func() { stop(); _ = timer.Close() }()
	far := unix.ItimerSpec{Value: unix.Timespec{Sec: 1 << 40}}
	asleep, err := timeAsleep()
	for err == nil {
		if err = unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &far, nil); err != nil {
			break
		}
		if _, err = timer.Read(make([]byte, 8)); !errors.Is(err, unix.ECANCELED) {
			break
		}
		var now time.Duration
		if now, err = timeAsleep(); err == nil && now-asleep >= leastSuspend {
			asleep = now
			do()
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// timeAsleep is how long this machine has been suspended since it was started.
func timeAsleep() (time.Duration, error) {
	var boot, monotonic unix.Timespec
	err := errors.Join(unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot), unix.ClockGettime(unix.CLOCK_MONOTONIC, &monotonic))
	return time.Duration(boot.Nano() - monotonic.Nano()), err
}
