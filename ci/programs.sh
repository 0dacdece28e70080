#!/usr/bin/env bash
# Real programs under `lisle run`, with clients or tests of their own: one line for each, with a
# figure where there is one. Not part of `.ci/run`: it takes minutes, and installs programs.
#
#   ci/programs.sh [NAME]...      those programs alone
set -uo pipefail
cd "$(dirname "$0")/.." || exit

lisle=$PWD/target/release/lisle
work=$(mktemp -d)
servers=()
failures=0

stop_servers() {
    for server in "${servers[@]}"; do
        kill "$server" 2>/dev/null
    done
    for server in "${servers[@]}"; do
        # Those that do not end by themselves.
        for _ in {1..50}; do
            kill -0 "$server" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$server" 2>/dev/null
        wait "$server" 2>/dev/null
    done
    servers=()
}
trap 'stop_servers; rm -rf "$work"' EXIT

line() { # name, "ok" or another word, figure
    printf '%-34s %-8s %s\n' "$1" "$2" "$3"
    [[ $2 == ok ]] || failures=$((failures + 1))
}

# Installs packages unless the command is there; false, and a line, if that cannot be done.
has() { # command, packages...
    local command=$1
    shift
    [[ -x $command ]] || command -v "$command" >/dev/null && return
    if ! DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" \
        >"$work/install" 2>&1; then
        echo "skipped: $command is not there, and $* cannot be installed"
        return 1
    fi
}

limited() { # seconds, command...
    timeout --signal=KILL "$@" </dev/null
}

# Starts a server in the background, with its output in $work/server.
serve() {
    "$@" </dev/null >"$work/server" 2>&1 &
    servers+=($!)
}

# Waits until somebody listens at the port.
listens() { # port
    for _ in {1..200}; do
        (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
        sleep 0.1
    done
    return 1
}

free_port() {
    port=$((20000 + RANDOM % 10000))
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        port=$((port + 1))
    done
}

# A server, natively and under `lisle run`: the figure of each.
compare_server() { # name, function that starts it (its arguments precede it), function that loads
    local figures=() figure word=ok
    for prefix in "" "$lisle run --"; do
        free_port
        # The prefix is words.
        # shellcheck disable=SC2086
        "$2" $prefix
        if listens "$port" && figure=$("$3" 2>"$work/client") && [[ -n $figure ]]; then
            figures+=("$figure")
        else
            figures+=(none)
            word=FAILED
        fi
        stop_servers
    done
    line "$1" "$word" "natively ${figures[0]}, here ${figures[1]}"
    if [[ $word != ok ]]; then
        tail -n 5 "$work/server" "$work/client"
    fi
}

# shellcheck disable=SC2120 # Arguments precede it.
python_server() { serve "$@" "$python" -c '
import sys, http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"hello\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 4096
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()' "$port"; }
python_load() { http_load 2000 20000; }

# Requests per second with so many clients at once; none may fail.
http_load() { # clients, requests
    limited 100 ab -q -r -s 60 -c "$1" -n "$2" "http://127.0.0.1:$port/" >"$work/ab" || return
    grep -q '^Failed requests: *0$' "$work/ab" || { cat "$work/ab" >&2; return 1; }
    awk '/^Requests per second/ { print $4 " requests/s" }' "$work/ab"
}

check_python_server() {
    has ab apache2-utils &&
        compare_server python-http-2000 python_server python_load
}

# CPython's own tests: what fails must be what fails natively. The tests of VSOCK hang in virtual
# machines, also natively.
check_python_tests() {
    local tests=(test_thread test_threading test_threading_local test_queue test_socket
        test_socketserver test_select test_subprocess test_signal test_threadsignals)
    if ! "$python" -c 'import test.test_threading' 2>/dev/null; then
        echo "skipped: $python has no tests of its own"
        return
    fi
    local test way known found
    for test in "${tests[@]}"; do
        known=$(python_failures "$test")
        for way in "" "--workers 1" "--poller epoll"; do
            # shellcheck disable=SC2086
            found=$(python_failures "$test" "$lisle" run $way --)
            if [[ $found == "$known" ]]; then
                line "python $test $way" ok "$(tail -n 1 "$work/python")"
            else
                line "python $test $way" FAILED "$(comm -13 <(echo "$known") <(echo "$found") | xargs)"
            fi
        done
    done
}

# The names of tests that fail, and how the whole ended.
python_failures() { # test, prefix...
    local test=$1
    shift
    limited 240 "$@" "$python" -m test -v -i '*VSOCK*' -i '*Vsock*' "$test" >"$work/python" 2>&1
    local status=$?
    {
        echo "status $status"
        grep -aoE '^(FAIL|ERROR): [A-Za-z_0-9]+ \([^)]*\)' "$work/python"
    } | sort -u
}

memcached_server() { serve "$@" memcached -u nobody -l 127.0.0.1 -p "$port" -t 4 -c 4096; }
memcached_load() {
    local started ended
    started=$(date +%s%N)
    limited 100 memcslap --servers="127.0.0.1:$port" --concurrency=64 --execute-number=2000 \
        --test=set >/dev/null || return
    ended=$(date +%s%N)
    echo "$((64 * 2000 * 1000 / ((ended - started) / 1000000))) sets/s"
}
check_memcached() {
    has memcached memcached && has memcslap libmemcached-tools &&
        compare_server memcached-4-threads memcached_server memcached_load
}

check_pgbench() {
    has pgbench postgresql-contrib && has /usr/lib/postgresql/15/bin/postgres postgresql || return
    local bin=/usr/lib/postgresql/15/bin data=$work/postgres prefix figures=() figure word=ok
    chmod 755 "$work"
    mkdir "$data" && chown postgres "$data"
    as_postgres() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
    free_port
    as_postgres "$bin/initdb" -A trust "$data/db" >/dev/null || return
    # shellcheck disable=SC2016
    servers+=("$(as_postgres sh -c '"$0" "$@" >/dev/null 2>&1 & echo $!' "$bin/postgres" -D "$data/db" \
        -p "$port" -k "$data" -c max_connections=300 -c fsync=off -h 127.0.0.1)")
    listens "$port"
    local connection=(-h 127.0.0.1 -p "$port" -U postgres)
    pgbench "${connection[@]}" -i -s 5 postgres >/dev/null 2>&1
    for prefix in "" "$lisle run --"; do
        # shellcheck disable=SC2086
        if figure=$(limited 60 $prefix "$bin/pgbench" \
            "${connection[@]}" -S -c 200 -j 200 -T 5 postgres 2>"$work/client" |
            awk '/^tps/ { print int($3) " transactions/s" }') && [[ -n $figure ]]; then
            figures+=("$figure")
        else
            figures+=(none)
            word=FAILED
            cat "$work/client"
        fi
    done
    stop_servers
    line pgbench-200-threads "$word" "natively ${figures[0]}, here ${figures[1]}"
}

check_curl() {
    has curl curl && has ab apache2-utils || return
    free_port
    # shellcheck disable=SC2119
    python_server
    listens "$port"
    local word=ok
    # Its resolver has a thread for each name.
    limited 60 "$lisle" run -- curl -sS -Z --parallel-max 50 \
        "http://localhost:$port/[1-500]" >"$work/curl" 2>&1 || word=FAILED
    [[ $(grep -c hello "$work/curl") == 500 ]] || word=FAILED
    stop_servers
    line curl-500-in-parallel "$word" ""
}

echo_server() { serve "$@" "$work/echo_threads" "$port"; }
echo_load_10000() { limited 60 "$work/echo_load" "$port" 10000 5 | sed 's|$| messages/s|'; }
echo_load_100() { limited 60 "$work/echo_load" "$port" 100 5 | sed 's|$| messages/s|'; }
check_echo() {
    local program
    for program in echo_threads echo_load; do
        cc -O2 -pthread "crates/cli/tests/programs/$program.c" -o "$work/$program" || return
    done
    compare_server echo-100 echo_server echo_load_100
    compare_server echo-10000 echo_server echo_load_10000
}

# Its threads spin until the others have done their part. More of them than there are workers would
# have to be preempted, which coroutines are not.
redis_server() {
    serve "$@" redis-server --port "$port" --io-threads 2 --io-threads-do-reads yes --save ""
}
redis_load() {
    # It shows its progress on the same lines.
    limited 60 redis-benchmark -p "$port" -c 100 -n 100000 -t set,get --csv -q |
        grep -aoE '"(SET|GET)","[0-9]+' | tr -d '"' | tr ',' ' ' | xargs
}
check_redis() {
    has redis-server redis-server && has redis-benchmark redis-tools &&
        compare_server redis-2-io-threads redis_server redis_load
}

mysql_server() {
    serve "$@" /usr/sbin/mariadbd --no-defaults --datadir="$work/mysql" --port="$port" \
        --socket="$work/mysql/socket" --bind-address=127.0.0.1 --skip-grant-tables \
        --max-connections=300 --user=mysql --skip-networking=0
}
mysql_load() {
    limited 100 mysqlslap --no-defaults -h 127.0.0.1 -P "$port" --auto-generate-sql \
        --concurrency=100 --number-of-queries=5000 --create-schema=lisle >"$work/slap" || return
    awk '/Average number of seconds/ { print $(NF - 1) " s" }' "$work/slap"
}
check_mariadb() {
    has /usr/sbin/mariadbd mariadb-server && has mysqlslap mariadb-client || return
    chmod 755 "$work"
    mkdir -p "$work/mysql" && chown mysql "$work/mysql"
    mariadb-install-db --no-defaults --datadir="$work/mysql" --user=mysql --force \
        >"$work/install" 2>&1 || { line mariadb FAILED "$(tail -n 1 "$work/install")"; return; }
    compare_server mariadb-100-clients mysql_server mysql_load
}

nginx_server() {
    mkdir -p "$work/nginx"
    chmod 755 "$work" "$work/nginx"
    echo hello >"$work/nginx/index.html"
    cat >"$work/nginx.conf" <<END
daemon off; worker_processes 1; pid $work/nginx.pid; error_log stderr;
events { worker_connections 4096; }
http { access_log off; aio threads; sendfile off; output_buffers 1 64k;
       server { listen 127.0.0.1:$port; root $work/nginx; } }
END
    serve "$@" nginx -c "$work/nginx.conf"
}
nginx_load() { http_load 100 20000; }
check_nginx() {
    has nginx nginx && has ab apache2-utils && compare_server nginx-aio-threads nginx_server nginx_load
}

haproxy_server() {
    cat >"$work/haproxy.cfg" <<END
global
    nbthread 4
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 10s
frontend f
    bind 127.0.0.1:$port
    http-request return status 200 content-type text/plain string hello
END
    serve "$@" haproxy -db -f "$work/haproxy.cfg"
}
check_haproxy() {
    has haproxy haproxy && has ab apache2-utils && compare_server haproxy-4-threads haproxy_server nginx_load
}

iperf_server() { serve "$@" iperf3 -s -p "$port"; }
iperf_load() {
    limited 30 iperf3 -c 127.0.0.1 -p "$port" -t 2 -P 4 |
        awk '/SUM.*receiver/ { print $6 " " $7 }'
}

# Programs that are run once: what they write must be what they write natively.
same() { # name, command...
    local name=$1
    shift
    limited 100 "$@" >"$work/native" 2>/dev/null
    local native=$?
    limited 100 "$lisle" run -- "$@" >"$work/here" 2>"$work/client"
    local here=$?
    if [[ $native == "$here" ]] && cmp -s "$work/native" "$work/here"; then
        line "$name" ok "status $here, $(wc -c <"$work/here") bytes"
    else
        line "$name" FAILED "status $native and $here, $(tail -n 1 "$work/client")"
    fi
}

# Programs whose output differs from run to run: they must succeed.
succeeds() { # name, command...
    local name=$1
    shift
    if limited 100 "$lisle" run -- "$@" >"$work/here" 2>&1; then
        line "$name" ok ""
    else
        line "$name" FAILED "status $?, $(tail -n 1 "$work/here")"
    fi
}

check_tools() {
    local data=$work/data
    head -c 8000000 "$(readlink -f /proc/self/exe)" >"$data"
    head -c 8000000 "$python" >>"$data"
    has xz xz-utils && same xz xz -T4 -1 -c "$data"
    has zstd zstd && same zstd zstd -T4 -q -c "$data"
    has pigz pigz && same pigz pigz -n -p 4 -c "$data"
    has pbzip2 pbzip2 && same pbzip2 pbzip2 -p4 -c "$data"
    has lbzip2 lbzip2 && same lbzip2 lbzip2 -n 4 -c "$data"
    has 7z p7zip-full && succeeds 7z 7z a -mmt4 -bd "$work/archive.7z" "$data"
    has git git && succeeds git-pack git -c pack.threads=4 pack-objects --all --threads=4 --no-reuse-delta \
        -q "$work/pack"
    has sqlite3 sqlite3 && same sqlite3 sqlite3 :memory: 'pragma threads=4;
        create table a(b); with recursive c(x) as (select 1 union all select x+1 from c
        where x < 100000) insert into a select x from c; select sum(b) from a order by b;'
    has ruby ruby && same ruby ruby -e 'q = Queue.new
        t = 100.times.map { |i| Thread.new { sleep 0.01; q << i } }; t.each(&:join); puts q.size'
    # shellcheck disable=SC2016
    has perl perl && same perl perl -Mthreads -e 'my @t = map { my $i = $_;
        threads->create(sub { $i * 2 }) } 1..50; my $s = 0; $s += $_->join for @t; print "$s\n"'
    has node nodejs && same node node -e 'const c = require("crypto"); let n = 0;
        for (let i = 0; i < 16; i++) c.pbkdf2("a", "b", 1000, 64, "sha512",
            () => { if (++n == 16) console.log("done") });
        const { Worker } = require("worker_threads");
        new Worker("require(\"worker_threads\").parentPort.postMessage(7)", { eval: true })
            .on("message", m => setTimeout(() => console.log(m), 300))'
    # shellcheck disable=SC2016
    echo 'package require Thread
        set t [thread::create -joinable {thread::wait}]; puts [thread::send $t {expr 6*7}]
        thread::release $t; thread::join $t' >"$work/threads.tcl"
    has tclsh tcl tcl-thread && same tclsh tclsh "$work/threads.tcl"
    has x264 x264 && succeeds x264 x264 --quiet --threads 4 --input-res 320x240 --demuxer raw \
        -o "$work/x264.mkv" "$data"
    has openssl openssl && succeeds openssl openssl speed -seconds 1 -multi 2 sha256
    has stress-ng stress-ng &&
        succeeds stress-ng stress-ng --pthread 4 --mutex 2 --sem 2 --pipe 2 --futex 2 -t 3 -q
    has sysbench sysbench && succeeds sysbench-threads sysbench threads --threads=64 --time=3 run
    has sysbench sysbench && succeeds sysbench-mutex sysbench mutex --threads=64 run
    has gdb gdb && same gdb gdb -batch -ex 'print 6*7'
    has rsync rsync && same rsync rsync -a --out-format=%n "$data" "$work/copy"
    has java default-jre-headless && same java java --version
    has iperf3 iperf3 && compare_server iperf3-4-streams iperf_server iperf_load
}

# The real thing: `python3` may be a script that looks for one.
python=
for candidate in /usr/bin/python3 "$(command -v python3)"; do
    if [[ -x $candidate ]]; then
        python=$("$candidate" -c 'import os, sys; print(os.path.realpath(sys.executable))')
        break
    fi
done
if [[ -z $python ]]; then
    has python3 python3-full && python=$(readlink -f "$(command -v python3)")
fi

ulimit -n "$(ulimit -Hn)"
cargo build --release -q || exit
apt-get update -qq >/dev/null 2>&1
checks=(echo tools curl memcached redis nginx haproxy mariadb pgbench python_server python_tests)
for check in "${@:-${checks[@]}}"; do
    "check_$check"
    stop_servers
done
if ((failures)); then
    echo "$failures failed"
    exit 1
fi
