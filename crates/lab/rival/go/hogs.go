package main

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

func fib(n int) uint64 {
	if n < 2 {
		return uint64(n)
	}
	return fib(n-1) + fib(n-2)
}

// chunk is what a hog computes between two looks at the clock, small the work of a task that comes
// late: as in ../../harness/src/hogs.rs.
const (
	chunk = 18
	small = 15
)

var sink atomic.Uint64

type hogs struct {
	over   atomic.Bool
	begin  time.Time
	most   time.Duration
	chunks atomic.Uint64
	used   time.Duration
	ended  sync.WaitGroup
}

func newHogs(most time.Duration) (*hogs, error) {
	used, err := cpuTime()
	return &hogs{begin: time.Now(), most: most, used: used}, err
}

func (h *hogs) start(count int) {
	for range count {
		h.ended.Go(func() {
			for !h.over.Load() && time.Since(h.begin) < h.most {
				sink.Store(fib(chunk))
				h.chunks.Add(1)
			}
		})
	}
}

func (h *hogs) report() error {
	used, err := cpuTime()
	if err != nil {
		return err
	}
	done := float64(h.chunks.Load())
	report("chunks", done/time.Since(h.begin).Seconds(), "1/s")
	report("chunks_cpu", done/(used-h.used).Seconds(), "1/s")
	return nil
}

func sleeperBesideHogs(p params, target time.Duration) error {
	const nap = time.Millisecond
	hogs, err := newHogs(4 * target)
	if err != nil {
		return err
	}
	hogs.start(p["hogs"])
	var times []time.Duration
	for end := time.Now().Add(target); time.Now().Before(end); {
		start := time.Now()
		time.Sleep(nap)
		times = append(times, time.Since(start)-nap)
	}
	hogs.over.Store(true)
	hogs.ended.Wait()
	if slices.Min(times) < 0 {
		return errEarly
	}
	reportQuantiles(times, []string{"late_p50", "late_p99", "late_max"}, []float64{0.5, 0.99, 1})
	return hogs.report()
}

func hogsAlone(p params, target time.Duration) error {
	hogs, err := newHogs(target)
	if err != nil {
		return err
	}
	hogs.start(p["hogs"])
	hogs.ended.Wait()
	return hogs.report()
}

func serveBesideHogs(p params, target time.Duration) error {
	hogs := &hogs{begin: time.Now(), most: time.Duration(1<<63 - 1)}
	hogs.start(p["hogs"])
	return serve(p, target)
}

func fair(p params, _ time.Duration) error {
	begin := time.Now()
	done := make([]time.Duration, p["tasks"])
	var ended sync.WaitGroup
	late := time.Duration(p["late"]) * time.Millisecond
	var waited time.Duration
	// It is there from the beginning, and has not computed.
	ended.Go(func() {
		time.Sleep(late - time.Since(begin))
		ended.Go(func() {
			sink.Store(fib(small))
			waited = time.Since(begin) - late
		})
	})
	for index := range done {
		ended.Go(func() {
			sink.Store(fib(p["fib"]))
			done[index] = time.Since(begin)
		})
	}
	ended.Wait()
	report("done_first", float64(slices.Min(done).Nanoseconds())/1e3, "us")
	reportQuantiles(done, []string{"done_10", "done_50", "done_90", "total"}, []float64{0.1, 0.5, 0.9, 1})
	report("late_task", float64(waited.Nanoseconds())/1e3, "us")
	return nil
}
