// The cases on goroutines: the same steps as in ../../harness/src, which see.
//
// Go has no park; a task waits for a token in a channel of one instead. Its channels have a
// bound; of one here, so that sending does not wait, as with the others' unbounded ones.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

type params map[string]int

func report(metric string, value float64, unit string) {
	fmt.Printf("%s %.3f %s\n", metric, value, unit)
}

func reportNs(metric string, elapsed time.Duration, operations int) {
	report(metric, float64(elapsed.Nanoseconds())/float64(operations), "ns")
}

// calibrate runs trial with growing counts, then once with the count that takes about target.
func calibrate(target time.Duration, trial func(count int) time.Duration) (int, time.Duration) {
	count := 64
	for {
		elapsed := trial(count)
		ratio := target.Seconds() / max(elapsed.Seconds(), 1e-9)
		if ratio <= 4 {
			count = max(int(float64(count)*ratio), 1)
			return count, trial(count)
		}
		count = int(float64(count) * min(ratio/2, 16))
	}
}

// race runs body on tasks goroutines that start together, until the last has ended.
func race(tasks int, body func(index int)) time.Duration {
	var arrived, ended sync.WaitGroup
	arrived.Add(tasks)
	open := make(chan struct{})
	for index := range tasks {
		ended.Go(func() {
			arrived.Done()
			<-open
			body(index)
		})
	}
	arrived.Wait()
	start := time.Now()
	close(open)
	ended.Wait()
	return time.Since(start)
}

func yields(p params, target time.Duration) error {
	count, elapsed := calibrate(target, func(count int) time.Duration {
		return race(p["tasks"], func(int) {
			for range count {
				runtime.Gosched()
			}
		})
	})
	reportNs("yield", elapsed, count*p["tasks"])
	return nil
}

func park(_ params, target time.Duration) error {
	count, elapsed := calibrate(target, func(count int) time.Duration {
		tokens := [2]chan struct{}{make(chan struct{}, 1), make(chan struct{}, 1)}
		tokens[0] <- struct{}{}
		return race(2, func(me int) {
			for range count {
				<-tokens[me]
				tokens[1-me] <- struct{}{}
			}
		})
	})
	reportNs("round_trip", elapsed, count)
	return nil
}

// wave starts size goroutines, then waits for them all.
func wave(size int) time.Duration {
	start := time.Now()
	var ended sync.WaitGroup
	ended.Add(size)
	for range size {
		go ended.Done()
	}
	ended.Wait()
	return time.Since(start)
}

func spawnWaves(size int, target time.Duration) error {
	waves := func(count int) int { return (count + size - 1) / size }
	count, elapsed := calibrate(target, func(count int) time.Duration {
		start := time.Now()
		for range waves(count) {
			wave(size)
		}
		return time.Since(start)
	})
	reportNs("task", elapsed, waves(count)*size)
	return nil
}

func spawnFlood(p params, _ time.Duration) error {
	size := p["tasks"]
	reportNs("cold", wave(size), size)
	warm := []time.Duration{wave(size), wave(size), wave(size)}
	slices.Sort(warm)
	reportNs("warm", warm[1], size)
	return nil
}

func mutex(p params, target time.Duration) error {
	count, elapsed := calibrate(target, func(count int) time.Duration {
		var lock sync.Mutex
		counter := 0
		return race(p["tasks"], func(int) {
			for range count {
				lock.Lock()
				counter++
				lock.Unlock()
			}
		})
	})
	reportNs("lock", elapsed, count*p["tasks"])
	return nil
}

type memory struct{ resident, pageTables, mappings float64 }

func memoryNow() (m memory, err error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return m, err
	}
	for line := range strings.Lines(string(status)) {
		fmt.Sscanf(line, "VmRSS: %f kB", &m.resident)
		fmt.Sscanf(line, "VmPTE: %f kB", &m.pageTables)
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return m, err
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		m.mappings++
	}
	return m, nil
}

func parked(p params, _ time.Duration) error {
	tasks := p["tasks"]
	wave(1)
	before, err := memoryNow()
	if err != nil {
		return err
	}
	var arrived sync.WaitGroup
	arrived.Add(tasks)
	never := make(chan struct{})
	for range tasks {
		go func() {
			arrived.Done()
			<-never
		}()
	}
	arrived.Wait()
	// The last arrivals may still be on their way to being suspended.
	for range 100 {
		runtime.Gosched()
	}
	after, err := memoryNow()
	if err != nil {
		return err
	}
	report("resident", (after.resident-before.resident)*1024/float64(tasks), "B")
	report("page_tables", (after.pageTables-before.pageTables)*1024/float64(tasks), "B")
	report("mappings", after.mappings-before.mappings, "total")
	runtime.KeepAlive(never)
	return nil
}

func serve(params, time.Duration) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("port", listener.Addr().(*net.TCPAddr).Port)
	for {
		// Go switches Nagle's algorithm off by itself.
		stream, err := listener.Accept()
		if err != nil {
			return err
		}
		go echo(stream)
	}
}

func echo(stream net.Conn) {
	defer stream.Close()
	var buffer [2048]byte
	for {
		length, err := stream.Read(buffer[:])
		if err != nil {
			return
		}
		if _, err := stream.Write(buffer[:length]); err != nil {
			return
		}
	}
}

var cases = map[string]func(params, time.Duration) error{
	"yield":        yields,
	"park":         park,
	"spawn-one":    func(_ params, target time.Duration) error { return spawnWaves(1, target) },
	"spawn-waves":  func(p params, target time.Duration) error { return spawnWaves(p["tasks"], target) },
	"spawn-flood":  spawnFlood,
	"mutex":        mutex,
	"mpsc":         func(_ params, target time.Duration) error { return answers(1, target) },
	"scope":        scopes,
	"cancel":       cancelAll,
	"memory":       parked,
	"files":        readFiles,
	"sleep-short":  sleepShort,
	"sleep-many":   sleepMany,
	"hogs-sleeper": sleeperBesideHogs,
	"hogs-alone":   hogsAlone,
	"fair":         fair,
	"echo":         serveBesideHogs,
	"http":         serveHTTP,

	"channel-round-trip": func(p params, target time.Duration) error {
		return answers(p["capacity"], target)
	},
	"channel-flow":   flow,
	"channel-select": selecting,
}

func run(args []string) error {
	if len(args) == 0 || cases[args[0]] == nil {
		return errors.New("usage: CASE name=value...")
	}
	p := params{}
	for _, arg := range args[1:] {
		name, text, _ := strings.Cut(arg, "=")
		if name == "path" {
			dataPath = text
			continue
		}
		value, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		p[name] = value
	}
	runtime.GOMAXPROCS(p["workers"])
	return cases[args[0]](p, time.Duration(p["ms"])*time.Millisecond)
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
