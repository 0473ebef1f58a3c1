package dbtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Variable names the environment variable with the URL of a PostgreSQL server
// that tests may make databases on; [Serve] sets it for many packages at once.
// Without it, each test program starts a server of its own.
const Variable = "PATROL_TEST_POSTGRES"

// database makes this program's own when first asked for one.
var database = sync.OnceValues(makeDatabase)

// server is one that ends when its standard input does, which is when this
// program has ended, however.
type server struct {
	url   string
	stdin io.WriteCloser
}

func makeDatabase() (*server, error) {
	s := &server{url: os.Getenv(Variable)}
	if s.url == "" {
		var err error
		if s, err = startServer(); err != nil {
			return nil, fmt.Errorf("start PostgreSQL for tests (make test installs it): %w", err)
		}
	}
	name := fmt.Sprintf("test%d", os.Getpid())
	err := execute(context.Background(), s.url, `DROP DATABASE IF EXISTS `+name, `CREATE DATABASE `+name)
	s.url = strings.Replace(s.url, "/postgres?", "/"+name+"?", 1)
	return s, err
}

var schemas atomic.Int64

// PostgresURL leads to a PostgreSQL schema of the test's own, empty.
func PostgresURL(t testing.TB) string {
	t.Helper()
	s, err := database()
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("s%d", schemas.Add(1))
	if err := execute(t.Context(), s.url, `CREATE SCHEMA `+name); err != nil {
		t.Fatal(err)
	}
	return s.url + "&search_path=" + name
}

func execute(ctx context.Context, url string, statements ...string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// Serve runs a command with a server for its tests.
func Serve(ctx context.Context, command string, args ...string) error {
	s, err := startServer()
	if err != nil {
		return err
	}
	defer func() { _ = s.stdin.Close() }()
	cmd := exec.CommandContext(ctx, command, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), Variable+"="+s.url)
	return cmd.Run()
}

// startServer makes a cluster in a directory of its own, reached through a socket
// there and nowhere else. It is thrown away, so it need not survive a power cut.
func startServer() (*server, error) {
	programs, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "patrol-postgres-")
	if err != nil {
		return nil, err
	}
	run, err := unprivileged(dir)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	initialize := exec.Command(filepath.Join(programs, "initdb"), "--pgdata", data, "--username", "patrol", "--auth", "trust", "--encoding", "UTF8", "--no-sync", "--locale", "C.UTF-8")
	initialize.SysProcAttr, initialize.Dir = run, dir
	if out, err := initialize.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return serve(programs, dir, data, run)
}

// serve starts the server below a shell that stops and starts it as it is told, and
// at the end of its input ends it and clears up.
func serve(programs, dir, data string, run *syscall.SysProcAttr) (*server, error) {
	const keeper = `begin() {
			"$1" -D "$2" -k "$3" -c listen_addresses= -c fsync=off -c max_connections=300 >>"$3/log" 2>&1 &
			postgres=$!
		}
		end() {
			kill -QUIT $postgres
			wait $postgres
		}
		begin "$@"
		while read -r order; do
			case $order in
			stop) end ;;
			start) begin "$@" ;;
			esac
		done
		end
		cd /
		rm -rf "$3"`
	cmd := exec.Command("sh", "-c", keeper, "keeper", filepath.Join(programs, "postgres"), data, dir)
	cmd.SysProcAttr, cmd.Dir = run, dir
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	url := fmt.Sprintf("postgres://patrol@/postgres?host=%s", dir)
	return &server{url, stdin}, ready(url, dir)
}

// ready waits until the server answers.
func ready(url, dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, url)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			return fmt.Errorf("%w\n%s", err, bytes.TrimSpace(log))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// programs finds the newest installed server; Debian keeps it off PATH.
func programs() (dir string, err error) {
	if found, err := exec.LookPath("postgres"); err == nil {
		if found, err = filepath.EvalSymlinks(found); err == nil {
			return filepath.Dir(found), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err == nil && len(found) == 0 {
		err = errors.New("postgres is not installed")
	}
	if err != nil {
		return "", err
	}
	version := func(dir string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
		return n
	}
	return slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }), nil
}

// unprivileged gives the directory to a user who is not root, as whom the server
// will run: it refuses to run as root.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return &syscall.SysProcAttr{}, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(nobody.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(nobody.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}
