package http_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// verify tells whether a request was made by who shares the secret, and lately. The
// body is that which was received, byte by byte.
func verify(secret string, h http.Header, body []byte, now time.Time) bool {
	sent, err := strconv.ParseInt(h.Get("Webhook-Timestamp"), 10, 64)
	if err != nil || now.Sub(time.Unix(sent, 0)).Abs() > 5*time.Minute {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.%s", h.Get("Webhook-Id"), sent, body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for signature := range strings.FieldsSeq(h.Get("Webhook-Signature")) {
		if err == nil && hmac.Equal([]byte(signature), []byte(want)) {
			return true
		}
	}
	return false
}

// A receiver checks the signature before it reads the body. The values are those of
// the test of the Standard Webhooks project's own libraries.
func Example_verify() {
	h := http.Header{
		"Webhook-Id":        {"msg_p5jXN8AQM9LWM0D4loKWxJek"},
		"Webhook-Timestamp": {"1614265330"},
		"Webhook-Signature": {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
	}
	secret, body := "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", []byte(`{"test": 2432232314}`)
	sent := time.Unix(1614265330, 0)
	fmt.Println(verify(secret, h, body, sent.Add(time.Second)))
	fmt.Println(verify(secret, h, append(body, ' '), sent.Add(time.Second)))
	fmt.Println(verify(secret, h, body, sent.Add(time.Hour)))
	// Output:
	// true
	// false
	// false
}
