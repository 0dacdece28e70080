package main

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"
)

var errEarly = errors.New("woken too early")

func sleepShort(p params, target time.Duration) error {
	nap := time.Duration(p["us"]) * time.Microsecond
	var times []time.Duration
	for end := time.Now().Add(target); time.Now().Before(end); {
		start := time.Now()
		time.Sleep(nap)
		times = append(times, time.Since(start))
	}
	if slices.Min(times) < nap {
		return errEarly
	}
	reportQuantiles(times, []string{"p50", "p99"}, []float64{0.5, 0.99})
	return nil
}

func cpuTime() (time.Duration, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, fmt.Errorf("getrusage: %w", err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), nil
}

func sleepMany(p params, _ time.Duration) error {
	lateness := make([]time.Duration, p["tasks"])
	before, err := cpuTime()
	if err != nil {
		return err
	}
	var ended sync.WaitGroup
	for index := range lateness {
		ended.Go(func() {
			start := time.Now()
			nap := napOf(index)
			time.Sleep(nap)
			lateness[index] = time.Since(start) - nap
		})
	}
	ended.Wait()
	after, err := cpuTime()
	if err != nil {
		return err
	}
	if slices.Min(lateness) < 0 {
		return errEarly
	}
	reportQuantiles(lateness, []string{"late_p50", "late_p99", "late_max"}, []float64{0.5, 0.99, 1})
	report("cpu", (after-before).Seconds()*1e3, "ms")
	return nil
}

// napOf says how long task index is to sleep: 10 to 1000 ms.
func napOf(index int) time.Duration {
	numbers := newRandom(index)
	return time.Duration(10_000+numbers.below(990_000)) * time.Microsecond
}
