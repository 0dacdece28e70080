package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"sync"
	"time"
	"unsafe"
)

// dataPath is the parameter path, the only one that is no number.
var dataPath string

const (
	blockSize = 4096
	nap       = 100 * time.Millisecond
)

// reportQuantiles reports quantiles in microseconds by rank; 1 is the greatest time.
func reportQuantiles(times []time.Duration, names []string, quantiles []float64) {
	slices.Sort(times)
	for i, name := range names {
		rank := max(int(math.Ceil(quantiles[i]*float64(len(times)))), 1)
		report(name, float64(times[rank-1].Nanoseconds())/1e3, "us")
	}
}

// alignedBlock is memory for a block, aligned as reads past the page cache need it.
func alignedBlock() []byte {
	memory := make([]byte, 2*blockSize)
	skip := -uintptr(unsafe.Pointer(&memory[0])) % blockSize
	return memory[skip : skip+blockSize]
}

func readFiles(p params, target time.Duration) error {
	file, err := os.OpenFile(dataPath, os.O_RDONLY|p["flags"], 0)
	if err != nil {
		return err
	}
	defer file.Close()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	var lock sync.Mutex
	var reads, lateness []time.Duration
	var failure error
	var readers, bystander sync.WaitGroup
	start := time.Now()
	end := start.Add(target)
	bystander.Go(func() { lateness = watch(end) })
	for index := range p["tasks"] {
		readers.Go(func() {
			times, err := readBlocks(file, index, uint64(size/blockSize), start, end)
			lock.Lock()
			defer lock.Unlock()
			reads = append(reads, times...)
			if err != nil {
				failure = err
			}
		})
	}
	readers.Wait()
	bystander.Wait()
	elapsed := time.Since(start)
	if failure != nil {
		return fmt.Errorf("%s: %w", dataPath, failure)
	}
	report("reads", float64(len(reads))/elapsed.Seconds(), "1/s")
	reportQuantiles(reads, []string{"p50", "p99", "max"}, []float64{0.5, 0.99, 1})
	reportQuantiles(lateness, []string{"bystander_p50", "bystander_max"}, []float64{0.5, 1})
	return nil
}

// readBlocks returns how long each read took, from the end of the one before it.
func readBlocks(
	file *os.File, index int, blocks uint64, before, end time.Time,
) ([]time.Duration, error) {
	var times []time.Duration
	block, numbers := alignedBlock(), newRandom(index)
	for {
		offset := int64(numbers.below(blocks)) * blockSize
		if _, err := file.ReadAt(block, offset); err != nil {
			return times, err
		}
		now := time.Now()
		times = append(times, now.Sub(before))
		if !now.Before(end) {
			return times, nil
		}
		before = now
	}
}

// watch sleeps until the end and returns by how much each sleep was too long.
func watch(end time.Time) []time.Duration {
	var lateness []time.Duration
	for {
		start := time.Now()
		time.Sleep(nap)
		lateness = append(lateness, time.Since(start)-nap)
		if !time.Now().Before(end) {
			return lateness
		}
	}
}
