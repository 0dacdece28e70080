package main

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"
)

// scopes waits for groups of goroutines that do nothing.
func scopes(p params, target time.Duration) error {
	count, elapsed := calibrate(target, func(count int) time.Duration {
		start := time.Now()
		for range count {
			var scope sync.WaitGroup
			for range p["tasks"] {
				scope.Go(func() {})
			}
			scope.Wait()
		}
		return time.Since(start)
	})
	report("scope", float64(elapsed.Nanoseconds())/1e3/float64(count), "us")
	return nil
}

// cancelAll tells goroutines that wait to stop.
func cancelAll(p params, _ time.Duration) error {
	times := make([]time.Duration, 5)
	for index := range times {
		times[index] = cancelOnce(p["tasks"], p["sleeps"] == 1)
	}
	slices.Sort(times)
	report("cancel", times[2].Seconds()*1e3, "ms")
	return nil
}

func cancelOnce(tasks int, sleeps bool) time.Duration {
	ctx, cancel := context.WithCancel(context.Background())
	var arrived, ended sync.WaitGroup
	arrived.Add(tasks)
	for range tasks {
		messages := make(chan int, 1)
		ended.Go(func() {
			arrived.Done()
			if sleeps {
				timer := time.NewTimer(time.Hour)
				defer timer.Stop()
				select {
				case <-timer.C:
				case <-ctx.Done():
				}
				return
			}
			select {
			case <-messages:
			case <-ctx.Done():
			}
		})
	}
	arrived.Wait()
	// The last arrivals may still be on their way to being suspended.
	for range 100 {
		runtime.Gosched()
	}
	start := time.Now()
	cancel()
	ended.Wait()
	return time.Since(start)
}
