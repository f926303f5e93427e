//! The lines of a runner's output that name the failed tests and give the reasons. They are repeated at the end of the
//! report, since a CI record may keep only the tail of the output.

const MOST_LINES: usize = 40;

/// Lines of output that are shown if none of them names a test: it did not compile, for example.
const LAST_LINES: usize = 20;

/// nextest repeats the names below its summary; cargo has them in lines of their own. Reasons are panics.
pub fn rust(printed: &str) -> Vec<String> {
    let mut shown = Vec::new();
    let mut lines = printed.lines().peekable();
    let mut is_summary = false;
    while let Some(line) = lines.next() {
        is_summary |= line.trim_start().starts_with("Summary [");
        if line.contains("panicked at ") {
            shown.push(line);
            shown.extend(lines.peek());
        } else if line.ends_with("... FAILED")
            || is_summary && ["FAIL [", "TIMEOUT [", "TRY ", "SIG", "Summary ["].iter().any(|word| line.contains(word))
        {
            shown.push(line);
        }
    }
    excerpt(printed, shown)
}

/// Vitest: `FAIL  src/a.test.ts > name`, and the error below it.
pub fn vitest(printed: &str) -> Vec<String> {
    let is_telling = |line: &&str| line.trim_start().starts_with("FAIL ") || is_error(line);
    excerpt(printed, printed.lines().filter(is_telling).collect())
}

/// Playwright: of each test's first failure the error and the line of code, then the names below `1 failed` and
/// `2 flaky`.
pub fn playwright(printed: &str) -> Vec<String> {
    const REASONS: [&str; 5] = ["Test timeout", "Locator:", "Expected", "Received", "> "];
    let mut shown = Vec::new();
    let (mut is_first_try, mut is_summary) = (false, false);
    for line in printed.lines() {
        let text = line.trim_start();
        let (number, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let is_heading = !number.is_empty() && rest.starts_with(") ");
        is_first_try = is_heading || is_first_try && !text.starts_with("Retry #");
        is_summary |= !number.is_empty() && matches!(rest.trim(), "failed" | "flaky" | "interrupted");
        if is_summary
            || is_heading
            || is_first_try && (is_error(line) || REASONS.iter().any(|word| text.starts_with(word)))
        {
            shown.push(line);
        }
    }
    excerpt(printed, shown)
}

/// The end of any other output.
pub fn last_lines(printed: &str) -> Vec<String> {
    let lines: Vec<_> = printed.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].iter().map(ToString::to_string).collect()
}

/// Returns whether a line starts with an error's name: `Error: …`, `AssertionError: …`.
fn is_error(line: &str) -> bool {
    line.trim_start()
        .split_once(": ")
        .is_some_and(|(name, _)| name.ends_with("Error") && name.chars().all(char::is_alphanumeric))
}

fn excerpt(printed: &str, shown: Vec<&str>) -> Vec<String> {
    if shown.is_empty() {
        return last_lines(printed);
    }
    // Every runner puts its summary last.
    shown[shown.len().saturating_sub(MOST_LINES)..].iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_shows_panics_and_the_summary() {
        let nextest = "\
        PASS [   0.010s] (1/3) gapless a::passes
        FAIL [   0.004s] (2/3) gapless a::breaks
  stderr ───
    thread 'a::breaks' (7) panicked at src/a.rs:3:5:
    assertion failed: it holds
    note: run with `RUST_BACKTRACE=1`
------------
     Summary [   0.004s] 3 tests run: 1 passed, 1 failed, 1 timed out, 0 skipped
        FAIL [   0.004s] (2/3) gapless a::breaks
     TIMEOUT [ 300.004s] (3/3) gapless a::hangs
error: test run failed";
        let shown = [
            "    thread 'a::breaks' (7) panicked at src/a.rs:3:5:",
            "    assertion failed: it holds",
            "     Summary [   0.004s] 3 tests run: 1 passed, 1 failed, 1 timed out, 0 skipped",
            "        FAIL [   0.004s] (2/3) gapless a::breaks",
            "     TIMEOUT [ 300.004s] (3/3) gapless a::hangs",
        ];
        assert_eq!(rust(nextest), shown);
        assert_eq!(rust("test a ... ok\ntest b ... FAILED\n"), ["test b ... FAILED"]);
    }

    #[test]
    fn vitest_shows_names_and_errors() {
        let printed = "\
 ✓ src/a.test.ts (2 tests) 9ms
 FAIL  src/b.test.ts > b > adds
AssertionError: expected 1 to be 2 // Object.is equality

- Expected
 FAIL  src/c.test.ts > waits
Error: Test timed out in 5000ms.
 Test Files  2 failed | 1 passed (3)";
        let shown = [
            " FAIL  src/b.test.ts > b > adds",
            "AssertionError: expected 1 to be 2 // Object.is equality",
            " FAIL  src/c.test.ts > waits",
            "Error: Test timed out in 5000ms.",
        ];
        assert_eq!(vitest(printed), shown);
    }

    #[test]
    fn playwright_shows_each_first_error_and_the_summary() {
        let printed = "\
  ✘  1 a.spec.ts:3:1 › fails (15ms)
  1) a.spec.ts:3:1 › fails ────
    Error: expect(locator).toBeVisible() failed
    Locator: getByText('hello')
    Call log:
      2 | let n = 0;
    > 3 | await expect(text).toBeVisible();
        |                    ^
    Retry #1 ───
    Error: expect(locator).toBeVisible() failed
  2) a.spec.ts:9:1 › hangs once ────
    Test timeout of 300ms exceeded.
  1 failed
    a.spec.ts:3:1 › fails ────
  1 flaky
    a.spec.ts:9:1 › hangs once ────
  64 passed (5.5s)";
        let shown = [
            "  1) a.spec.ts:3:1 › fails ────",
            "    Error: expect(locator).toBeVisible() failed",
            "    Locator: getByText('hello')",
            "    > 3 | await expect(text).toBeVisible();",
            "  2) a.spec.ts:9:1 › hangs once ────",
            "    Test timeout of 300ms exceeded.",
            "  1 failed",
            "    a.spec.ts:3:1 › fails ────",
            "  1 flaky",
            "    a.spec.ts:9:1 › hangs once ────",
            "  64 passed (5.5s)",
        ];
        assert_eq!(playwright(printed), shown);
    }

    #[test]
    fn an_excerpt_is_short_and_keeps_the_end() {
        let failed: Vec<_> = (1..=50).map(|n| format!("test t{n} ... FAILED")).collect();
        let shown = rust(&failed.join("\n"));
        assert_eq!((shown.len(), shown.last()), (MOST_LINES, failed.last()));
        let plain: Vec<_> = (1..=50).map(|n| format!("line {n}")).collect();
        assert_eq!(rust(&plain.join("\n")), plain[50 - LAST_LINES..]);
    }
}
