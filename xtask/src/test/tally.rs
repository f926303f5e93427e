//! Counts of passed and failed tests, parsed from the summary of each test runner.

use std::fmt;
use std::iter::Sum;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: u64,
    pub failed: u64,
}

impl Tally {
    /// A step that is not made of tests, and went well.
    pub const STEP: Self = Self { passed: 1, failed: 0 };

    /// Prints the count, for a command of its own.
    pub fn all_passed(self) -> anyhow::Result<()> {
        println!("\n{self}");
        anyhow::ensure!(self.failed == 0 && self.passed > 0, "some tests failed, or none passed");
        Ok(())
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, next| Self {
            passed: sum.passed + next.passed,
            failed: sum.failed + next.failed,
        })
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// nextest prints one `Summary [ 1.2s] 9 tests run: 8 passed, 1 failed, 0 skipped`; cargo one
/// `test result: ok. 9 passed; 0 failed; …` for each program.
pub fn rust(printed: &str) -> Option<Tally> {
    let summaries: Vec<Tally> = printed
        .lines()
        .filter(|line| line.contains("tests run:") || line.contains("test run:") || line.starts_with("test result:"))
        .map(|line| Tally {
            passed: before(line, "passed").unwrap_or(0),
            failed: before(line, "failed").unwrap_or(0) + before(line, "timed out").unwrap_or(0),
        })
        .collect();
    (!summaries.is_empty()).then(|| summaries.into_iter().sum())
}

/// Vitest: `      Tests  1 failed | 11 passed (12)`.
pub fn vitest(printed: &str) -> Option<Tally> {
    let line = printed.lines().rfind(|line| line.trim_start().starts_with("Tests "))?;
    Some(Tally { passed: before(line, "passed").unwrap_or(0), failed: before(line, "failed").unwrap_or(0) })
}

/// Playwright, one count a line: `  1 failed`, `  2 flaky`, `  11 passed (15.0s)`. A flaky test passed when it was
/// retried, and is not among those that Playwright calls passed.
pub fn playwright(printed: &str) -> Option<Tally> {
    let count = |word| printed.lines().rev().find_map(|line| alone(line, word));
    let (passed, flaky, failed) = (count("passed"), count("flaky"), count("failed"));
    passed.or(flaky).or(failed)?;
    Some(Tally { passed: passed.unwrap_or(0) + flaky.unwrap_or(0), failed: failed.unwrap_or(0) })
}

/// The number right before `word`.
fn before(line: &str, word: &str) -> Option<u64> {
    line[..line.find(word)?].split_whitespace().last()?.parse().ok()
}

/// The number in a line that is just `<number> <word>`, with an optional time behind.
fn alone(line: &str, word: &str) -> Option<u64> {
    let (number, rest) = line.trim().split_once(' ')?;
    let rest = rest.strip_prefix(word)?;
    (rest.is_empty() || rest.starts_with(" (")).then(|| number.parse().ok())?
}

/// `printed` without the escape sequences of colours: `ESC [ … m`.
pub fn plain_text(printed: &str) -> String {
    let mut plain = String::with_capacity(printed.len());
    let mut rest = printed;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        rest = after.split_once(|c: char| c.is_ascii_alphabetic()).map_or("", |(_, rest)| rest);
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn tally(passed: u64, failed: u64) -> Tally {
        Tally { passed, failed }
    }

    #[test]
    fn each_runner_is_understood() {
        assert_eq!(rust("     Summary [   0.004s] 3 tests run: 2 passed, 1 failed, 0 skipped"), Some(tally(2, 1)));
        assert_eq!(rust("     Summary [   9.004s] 1 test run: 0 passed, 1 timed out, 4 skipped"), Some(tally(0, 1)));
        let cargo =
            "test result: ok. 3 passed; 0 failed; 1 ignored\nx\ntest result: FAILED. 1 passed; 2 failed; 0 ignored";
        assert_eq!(rust(cargo), Some(tally(4, 2)));
        assert_eq!(rust("error: could not compile"), None);
        assert_eq!(vitest(" Test Files  1 passed (1)\n      Tests  1 failed | 11 passed (12)\n"), Some(tally(11, 1)));
        assert_eq!(
            playwright("  1 failed\n    [x] › a test that 2 passed ›\n  11 passed (15.0s)\n"),
            Some(tally(11, 1))
        );
        let flaky = "  1 failed\n    [x] › one ›\n  3 flaky\n    [x] › two ›\n  64 passed (4.9m)\n";
        assert_eq!(playwright(flaky), Some(tally(67, 1)));
        assert_eq!(playwright("  1 flaky\n    [x] › the only one ›\n"), Some(tally(1, 0)));
        assert_eq!(playwright("Error: no tests found\n"), None);
    }

    #[test]
    fn colours_are_removed() {
        assert_eq!(plain_text("\x1b[1m\x1b[32m3\x1b[0m passed"), "3 passed");
    }
}
