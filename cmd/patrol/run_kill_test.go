package main_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"patrol/internal/client"
	"patrol/internal/fleet"
	"patrol/internal/scan"
	"patrol/internal/schedule"
)

// TestKillInARun kills the console three times in a run of 150 scans.
func TestKillInARun(t *testing.T) {
	t.Parallel()
	killInARun(t, alone(t), 150, 3)
}

// killable is what answers to a client, and can be killed and started again.
type killable struct {
	*client.Client
	again func()
}

// alone is one console by itself.
func alone(t *testing.T) *killable {
	dir := t.TempDir()
	process, c := console(t, dir, filepath.Join(dir, "nowhere"), "127.0.0.1:0")
	k := &killable{Client: c}
	k.again = func() {
		process.kill(t)
		process, k.Client = console(t, dir, filepath.Join(dir, "nowhere"), c.Console.Host)
	}
	return k
}

// killInARun has a schedule scan simulated machines, and kills a console again and
// again, at any instant of the run: every scan ends, none is lost, and none is done
// twice.
func killInARun(t *testing.T, k *killable, machines, kills int) {
	c := k.Client
	onDemandOnly(t, c)
	simulate(t, c, machines)
	eventually(t, "every node", func() bool { return len(all[fleet.Node](t, c, "nodes", nil)) == machines })

	began := time.Now()
	var s schedule.Schedule
	definition := schedule.Definition{
		Name: "all", Cron: "0 0 1 1 *", Selector: "true", // by hand alone
		Options: schedule.Options{MaxConcurrent: max(machines/20, 10)},
	}
	if err := c.Do(t.Context(), http.MethodPost, "schedules", definition, &s); err != nil {
		t.Fatal(err)
	}
	var run schedule.Run
	path := "schedules/" + s.ID + "/run"
	if err := c.Do(t.Context(), http.MethodPost, path, nil, &run); err != nil {
		t.Fatal(err)
	}
	look := func() schedule.Run {
		t.Helper()
		if err := c.Do(t.Context(), http.MethodGet, path+"s/"+run.ID, nil, &run); err != nil {
			t.Fatal(err)
		}
		return run
	}
	for i := range kills {
		// Not before its share of the run is done, and then at any instant.
		share := machines * i / kills
		eventually(t, fmt.Sprintf("scan %d", share), func() bool { return look().Nodes.Complete >= share })
		time.Sleep(rand.N(500 * time.Millisecond))
		t.Logf("%v: killed with %+v", time.Since(began).Round(time.Millisecond), look().Nodes)
		k.again()
		c = k.Client
	}
	killed := time.Now()
	eventually(t, "the end of the run", func() bool { return look().State != schedule.Running })
	t.Logf("the run of %d scans took %v with %d kills; it ended %v after the last", machines,
		run.FinishedAt.Sub(run.FiredAt).Round(time.Millisecond), kills, run.FinishedAt.Sub(killed).Round(time.Millisecond))
	wantRunOnce(t, c, run, machines)
}

// simulate runs machines that are made up, until the test ends.
func simulate(t *testing.T, c *client.Client, machines int) {
	t.Helper()
	token, err := c.CreateToken(t.Context(), "enrolment", "simulated")
	if err != nil {
		t.Fatal(err)
	}
	start(t, []string{"PATROL_ENROLMENT_TOKEN=" + token.Token}, "", "simulate", "agents", "--console", c.Console.String(),
		"--count", fmt.Sprint(machines), "--ramp", "2s", "--log-level", "error")
}

// wantRunOnce compares a run that has ended with its scans and with the log.
func wantRunOnce(t *testing.T, c *client.Client, run schedule.Run, machines int) {
	t.Helper()
	if run.State != schedule.Finished || run.Selected != machines || run.Scans != machines+run.Retried || run.Nodes != (schedule.RunNodes{Complete: machines}) {
		t.Errorf("run = %+v; want %d nodes, all complete", run, machines)
	}
	completed := map[string]int{}
	for e := range everyEvent(t, c, "scan.completed") {
		completed[e.Subject]++
	}
	nodes := map[string]int{}
	for _, s := range all[scan.Scan](t, c, "scans", url.Values{"run": {run.ID}}) {
		if s.State == scan.Complete {
			nodes[s.Node.ID]++
		}
		if want := map[bool]int{true: 1}[s.State == scan.Complete]; !s.Finished() || completed[s.ID] != want || s.State == scan.Complete && s.Components != 600 {
			t.Errorf("scan %s is %s (%s) with %d components, completed %d times", s.ID, s.State, s.Error, s.Components, completed[s.ID])
		}
		delete(completed, s.ID)
	}
	for node, scans := range nodes {
		if scans != 1 {
			t.Errorf("node %s was scanned %d times", node, scans)
		}
	}
	if len(nodes) != machines || len(completed) != 0 {
		t.Errorf("%d nodes were scanned; want %d; completed besides: %v", len(nodes), machines, completed)
	}
	for _, kind := range []string{"schedule.fired", "schedule.run_finished"} {
		if n := len(slices.Collect(everyEvent(t, c, kind))); n != 1 {
			t.Errorf("%d times %s by the log; want once", n, kind)
		}
	}
}
