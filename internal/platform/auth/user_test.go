package auth_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"patrol/internal/platform/access"
	"patrol/internal/platform/auth"
	"patrol/internal/platform/db/dbtest"
	"patrol/internal/platform/problem"
	"patrol/internal/platform/rest"
)

func TestInvitation(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		invited, err := h.Invite(t.Context(), auth.NewUser{Username: "ada", Role: access.Operator})
		if err != nil || invited.User.State != auth.Invited || invited.User.Role != access.Operator || !invited.ExpiresAt.Equal(noon.AddDate(0, 0, 7)) {
			t.Fatalf("Invite = %+v, %v", invited, err)
		}
		if p, known := h.identify(invited.Token); known {
			t.Errorf("the invitation opens more than the choice of a password: %+v", p)
		}
		for _, guess := range []string{"", password} {
			if _, _, err := h.SignIn(t.Context(), "ada", guess); err == nil {
				t.Errorf("%q opens an account without a password", guess)
			}
		}
		_, _, err = h.Accept(t.Context(), invited.Token, "too short")
		wantProblem(t, err, problem.KindInvalid, "password")
		user, session, err := h.Accept(t.Context(), invited.Token, password)
		if err != nil || user.Username != "ada" {
			t.Fatalf("Accept = %+v, %v", user, err)
		}
		if p, known := h.identify(session.Token); !known || p.Role != access.Operator || p.ID != invited.User.ID {
			t.Errorf("Identify = %+v, %v", p, known)
		}
		h.signIn("ada")
		_, _, err = h.Accept(t.Context(), invited.Token, "another password")
		wantProblem(t, err, problem.KindInvalid, "token")
		_, err = h.Invite(t.Context(), auth.NewUser{Username: "ada", Role: access.Admin})
		wantProblem(t, err, problem.KindConflict, "")
		want := []string{"user.created ada", "user.invited ada", "session.refused ada", "session.refused ada", "user.password_set ada", "session.opened ada", "session.opened ada"}
		if got := h.actions(); !slices.Equal(got, want) {
			t.Errorf("the audit log tells of %q; want %q", got, want)
		}
	})
}

func TestInvitationEnds(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.firstAdmin(password)
		first, err := h.Invite(t.Context(), auth.NewUser{Username: "ada", Role: access.Viewer})
		if err != nil {
			t.Fatal(err)
		}
		second, err := h.InviteAgain(t.Context(), first.User.ID)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = h.Accept(t.Context(), first.Token, password) // was replaced
		wantProblem(t, err, problem.KindInvalid, "token")
		h.clock.Set(second.ExpiresAt)
		_, _, err = h.Accept(t.Context(), second.Token, password)
		wantProblem(t, err, problem.KindInvalid, "token")
		third, err := h.InviteAgain(t.Context(), first.User.ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.EditUser(t.Context(), first.User.ID, auth.UserChange{Disabled: pointer(true)}); err != nil {
			t.Fatal(err)
		}
		_, _, err = h.Accept(t.Context(), third.Token, password)
		wantProblem(t, err, problem.KindInvalid, "token")
		_, err = h.InviteAgain(t.Context(), first.User.ID)
		wantProblem(t, err, problem.KindConflict, "")
		_, err = h.InviteAgain(t.Context(), "none")
		wantProblem(t, err, problem.KindNotFound, "")
	})
}

func TestInvitationIsAcceptedOnce(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		invited, err := h.Invite(t.Context(), auth.NewUser{Username: "ada", Role: access.Viewer})
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		accepted := 0
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if _, _, err := h.Accept(t.Context(), invited.Token, password); err == nil {
					mu.Lock()
					accepted++
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if accepted != 1 {
			t.Errorf("%d of four at once were accepted", accepted)
		}
	})
}

func TestUserNames(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		for _, name := range []string{" ada", "ada ", "a\nda", "a\u202eda", " "} {
			_, err := h.Invite(t.Context(), auth.NewUser{Username: name, Role: access.Viewer})
			wantProblem(t, err, problem.KindInvalid, "username")
		}
		if _, err := h.Invite(t.Context(), auth.NewUser{Username: "Ada Lovelace <ada@example.com>", Role: access.Viewer}); err != nil {
			t.Error(err)
		}
	})
}

func TestUsersAreListedByName(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.firstAdmin(password)
		h.invite("bob", access.Viewer)
		if _, err := h.Invite(t.Context(), auth.NewUser{Username: "ada", Role: access.Operator}); err != nil {
			t.Fatal(err)
		}
		var got []string
		for p := (rest.Paging{Limit: 2}); ; {
			page, err := h.Users(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range page.Items {
				got = append(got, strings.Join([]string{a.Username, string(a.Role), a.State, a.SignIn}, " "))
			}
			if p.Cursor = page.Next; p.Cursor == "" {
				break
			}
		}
		want := []string{"ada operator invited password", "admin admin enabled password", "bob viewer enabled password"}
		if !slices.Equal(got, want) {
			t.Errorf("users = %q; want %q", got, want)
		}
	})
}

// What an account may do changes at once, in open sessions, too.
func TestEditUser(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.firstAdmin(password)
		bob := h.invite("bob", access.Viewer)
		session := h.signIn("bob")
		after, err := h.EditUser(t.Context(), bob.ID, auth.UserChange{Role: pointer(access.Operator)})
		if err != nil || after.Role != access.Operator {
			t.Fatalf("EditUser = %+v, %v", after, err)
		}
		if p, _ := h.identify(session.Token); p.Role != access.Operator {
			t.Errorf("the open session is that of a %q", p.Role)
		}
		if after, err = h.EditUser(t.Context(), bob.ID, auth.UserChange{Disabled: pointer(true)}); err != nil || after.State != auth.Disabled {
			t.Fatalf("EditUser = %+v, %v", after, err)
		}
		if _, known := h.identify(session.Token); known {
			t.Error("a disabled user is still signed in")
		}
		if _, _, err := h.SignIn(t.Context(), "bob", password); err == nil {
			t.Error("a disabled user signs in")
		}
		if _, err = h.EditUser(t.Context(), bob.ID, auth.UserChange{Disabled: pointer(false)}); err != nil {
			t.Fatal(err)
		}
		if _, known := h.identify(session.Token); known {
			t.Error("the session came back with the account")
		}
		h.signIn("bob")
		edits := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM audit WHERE action = 'user.edited'`)
		if _, err := h.EditUser(t.Context(), bob.ID, auth.UserChange{Role: pointer(access.Operator)}); err != nil {
			t.Fatal(err)
		}
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM audit WHERE action = 'user.edited'`); n != edits || n != 3 {
			t.Errorf("%d edits are audited, then %d: one that changes nothing is none", edits, n)
		}
		_, err = h.EditUser(t.Context(), "none", auth.UserChange{})
		wantProblem(t, err, problem.KindNotFound, "")
	})
}

func TestDeleteUser(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.firstAdmin(password)
		bob := h.invite("bob", access.Viewer)
		session := h.signIn("bob")
		if err := h.DeleteUser(t.Context(), bob.ID); err != nil {
			t.Fatal(err)
		}
		if _, known := h.identify(session.Token); known {
			t.Error("the session outlived its user")
		}
		wantProblem(t, h.DeleteUser(t.Context(), bob.ID), problem.KindNotFound, "")
		if again := h.invite("bob", access.Viewer); again.ID == bob.ID {
			t.Error("another user of the same name has the same id")
		}
	})
}

func TestLastAdminStays(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		first := h.admin()
		invited, err := h.Invite(t.Context(), auth.NewUser{Username: "ada", Role: access.Admin})
		if err != nil {
			t.Fatal(err)
		}
		// An administrator who has not accepted yet is none.
		for what, err := range map[string]error{
			"demoted":  second(h.EditUser(t.Context(), first, auth.UserChange{Role: pointer(access.Viewer)})),
			"disabled": second(h.EditUser(t.Context(), first, auth.UserChange{Disabled: pointer(true)})),
			"deleted":  h.DeleteUser(t.Context(), first),
		} {
			if p := wantProblem(t, err, problem.KindConflict, ""); !strings.Contains(p.Detail, "last administrator") {
				t.Errorf("%s: %v", what, err)
			}
		}
		ada, _, err := h.Accept(t.Context(), invited.Token, password)
		if err != nil {
			t.Fatal(err)
		}
		// Of two who demote each other at once, one is left.
		var all sync.WaitGroup
		failed := make([]error, 2)
		for i, id := range []string{first, ada.ID} {
			all.Go(func() {
				_, failed[i] = h.EditUser(t.Context(), id, auth.UserChange{Role: pointer(access.Viewer)})
			})
		}
		all.Wait()
		if n := dbtest.Count(t, h.db.Read(), `SELECT count(*) FROM account WHERE role = 'admin'`); n != 1 {
			t.Errorf("%d administrators are left: %v", n, failed)
		}
		wantProblem(t, errors.Join(failed...), problem.KindConflict, "")
	})
}

func TestChangePassword(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.firstAdmin(password)
		other, mine := h.signIn("admin"), h.signIn("admin")
		const chosen = "another four words entirely"
		ctx := h.as(mine.Token)
		wantProblem(t, h.ChangePassword(ctx, "wrong", chosen), problem.KindInvalid, "old")
		wantProblem(t, h.ChangePassword(ctx, password, "short"), problem.KindInvalid, "password")
		wantProblem(t, h.ChangePassword(h.as(h.token(auth.API).Token), password, chosen), problem.KindConflict, "")
		if err := h.ChangePassword(ctx, password, chosen); err != nil {
			t.Fatal(err)
		}
		if _, known := h.identify(mine.Token); !known {
			t.Error("whoever changes the password is signed out")
		}
		if _, known := h.identify(other.Token); known {
			t.Error("another session goes on")
		}
		if _, _, err := h.SignIn(t.Context(), "admin", password); err == nil {
			t.Error("the old password still opens")
		}
		if _, _, err := h.SignIn(t.Context(), "admin", chosen); err != nil {
			t.Errorf("the new one does not: %v", err)
		}
	})
}

func TestGuessesOfTheOldPasswordAreThrottled(t *testing.T) {
	each(t, func(t *testing.T, h house) {
		h.firstAdmin(password)
		ctx := h.as(h.signIn("admin").Token)
		for range 5 {
			wantProblem(t, h.ChangePassword(ctx, "wrong", password), problem.KindInvalid, "old")
		}
		wantProblem(t, h.ChangePassword(ctx, password, "another four words"), problem.KindTooSoon, "")
		h.clock.Advance(time.Second)
		if err := h.ChangePassword(ctx, password, "another four words"); err != nil {
			t.Error(err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

// admin makes the first administrator, and returns the id.
func (h house) admin() string {
	h.t.Helper()
	h.firstAdmin(password)
	user, _, err := h.SignIn(h.t.Context(), "admin", password)
	if err != nil {
		h.t.Fatal(err)
	}
	return user.ID
}
