package feed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"patrol/internal/risk"
)

// decodeEPSS reads the scores of a day (https://www.first.org/epss/data_stats): a
// comment with the model and the date, a line of names, and a line a CVE.
func decodeEPSS(_ context.Context, file string, keep keeper) (asOf time.Time, err error) {
	content, err := openContent(file)
	if err != nil {
		return asOf, err
	}
	defer content.Close()
	lines := bufio.NewScanner(content)
	number := 0
	for lines.Scan() {
		number++
		line := strings.TrimSuffix(lines.Text(), "\r")
		switch {
		case number == 1:
			if asOf, err = scoreDate(line); err != nil {
				return asOf, err
			}
		case number == 2:
			if line != "cve,epss,percentile" {
				return asOf, fmt.Errorf("line 2 is %.80q where cve,epss,percentile was expected", line)
			}
		default:
			cve, score, err := readScore(line)
			if err == nil {
				err = keep(cve, risk.Intelligence{EPSS: &score})
			}
			if err != nil {
				return asOf, fmt.Errorf("line %d: %w", number, err)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return asOf, fmt.Errorf("after line %d: %w", number, err)
	}
	if number < 3 {
		return asOf, errors.New("no scores in it")
	}
	return asOf, nil
}

// scoreDate reads "#model_version:v2025.03.14,score_date:2025-06-01T00:00:00+0000".
func scoreDate(line string) (time.Time, error) {
	_, date, ok := strings.Cut(line, "score_date:")
	if !strings.HasPrefix(line, "#") || !ok {
		return time.Time{}, fmt.Errorf("line 1 is %.80q where #model_version and score_date were expected", line)
	}
	for _, layout := range []string{"2006-01-02T15:04:05-0700", time.RFC3339, time.DateOnly} {
		if day, err := time.Parse(layout, strings.TrimSpace(date)); err == nil {
			return day.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("score_date %.80q is no date", date)
}

func readScore(line string) (cve string, score risk.EPSS, err error) {
	cve, rest, _ := strings.Cut(line, ",")
	first, second, _ := strings.Cut(rest, ",")
	if score.Score, err = share(first); err == nil {
		score.Percentile, err = share(second)
	}
	if err != nil {
		return "", score, fmt.Errorf("%.80q: %w", line, err)
	}
	return cve, score, nil
}

func share(text string) (float64, error) {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || !(value >= 0 && value <= 1) { // and so no NaN
		return 0, fmt.Errorf("%q is no number from 0 to 1", text)
	}
	return value, nil
}
