//! A Dockerfile, read: its stages and their steps. Only what ours say is understood; anything else is an error, so that
//! a step which the rehearsal would pass over cannot creep in.

use std::collections::HashMap;

use anyhow::{Context, bail};

pub struct Dockerfile {
    pub stages: Vec<Stage>,
}

#[derive(Debug, Default)]
pub struct Stage {
    /// `FROM base AS name`.
    pub base: String,
    pub name: Option<String>,
    pub steps: Vec<Step>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    Workdir(String),
    Copy { from: Option<String>, owner: Option<u32>, sources: Vec<String>, target: String },
    Run(String),
    Env(Vec<(String, String)>),
    Arg(String),
    User(u32),
    Entrypoint(Vec<String>),
    Cmd(Vec<String>),
    Healthcheck(Vec<String>),
}

impl Dockerfile {
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let mut stages: Vec<Stage> = Vec::new();
        // `ARG`s before the first `FROM`, which only `FROM` sees.
        let mut defaults = HashMap::new();
        for line in logical_lines(text) {
            let (word, rest) = line.split_once(char::is_whitespace).context("a step of one word")?;
            let rest = rest.trim();
            match (word, stages.last_mut()) {
                ("FROM", _) => stages.push(stage(rest, &defaults)?),
                ("ARG", None) => {
                    let (name, value) = rest.split_once('=').context("an ARG for FROM needs a default")?;
                    defaults.insert(name.to_owned(), value.to_owned());
                }
                (_, Some(stage)) => stage.steps.extend(step(word, rest).with_context(|| line.clone())?),
                (_, None) => bail!("`{line}` stands before the first FROM"),
            }
        }
        Ok(Self { stages })
    }

    pub fn stage(&self, name: &str) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.name.as_deref() == Some(name))
    }

    pub fn last(&self) -> anyhow::Result<&Stage> {
        self.stages.last().context("a Dockerfile without FROM")
    }
}

/// Lines without comments, those that end with a backslash joined to the next.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut unfinished = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(part) = line.strip_suffix('\\') {
            unfinished.push_str(part);
        } else {
            lines.push(std::mem::take(&mut unfinished) + line);
        }
    }
    lines
}

fn stage(rest: &str, defaults: &HashMap<String, String>) -> anyhow::Result<Stage> {
    let words: Vec<_> = rest.split_whitespace().collect();
    let (base, name) = match words[..] {
        [base] => (base, None),
        [base, "AS", name] => (base, Some(name.to_owned())),
        _ => bail!("FROM {rest}"),
    };
    let base = match base.strip_prefix("${").and_then(|base| base.strip_suffix('}')) {
        Some(argument) => defaults.get(argument).with_context(|| format!("no ARG {argument}"))?,
        None => base,
    };
    Ok(Stage { base: base.to_owned(), name, steps: Vec::new() })
}

fn step(word: &str, rest: &str) -> anyhow::Result<Option<Step>> {
    Ok(Some(match word {
        "WORKDIR" => Step::Workdir(rest.to_owned()),
        "COPY" => copy(rest)?,
        "RUN" => Step::Run(rest.to_owned()),
        "ENV" => Step::Env(assignments(rest)?),
        "ARG" => Step::Arg(rest.to_owned()),
        "USER" => Step::User(rest.parse().context("an account without a name, by number")?),
        "ENTRYPOINT" => Step::Entrypoint(list(rest)?),
        "CMD" => Step::Cmd(list(rest)?),
        "HEALTHCHECK" => {
            let (_, command) = rest.split_once("CMD").context("a check is a CMD")?;
            Step::Healthcheck(list(command.trim())?)
        }
        // Tells people; opens nothing.
        "EXPOSE" => return Ok(None),
        _ => bail!("a step that the rehearsal does not know"),
    }))
}

fn copy(rest: &str) -> anyhow::Result<Step> {
    let (mut from, mut owner, mut paths) = (None, None, Vec::new());
    for word in rest.split_whitespace() {
        if let Some(stage) = word.strip_prefix("--from=") {
            from = Some(stage.to_owned());
        } else if let Some(account) = word.strip_prefix("--chown=") {
            owner = Some(account.split(':').next().unwrap_or(account).parse().context("an owner by number")?);
        } else {
            paths.push(word.to_owned());
        }
    }
    let target = paths.pop().context("a target")?;
    Ok(Step::Copy { from, owner, sources: paths, target })
}

/// `A=1 B="two"`.
fn assignments(rest: &str) -> anyhow::Result<Vec<(String, String)>> {
    let pair = |word: &str| {
        let (name, value) = word.split_once('=').context("NAME=value")?;
        Ok((name.to_owned(), value.trim_matches('"').to_owned()))
    };
    rest.split_whitespace().map(pair).collect()
}

/// `["a", "b"]`: the form that needs no shell.
fn list(rest: &str) -> anyhow::Result<Vec<String>> {
    let words = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).context("a list, not a shell's line")?;
    let word = |word: &str| {
        let word = word.trim().strip_prefix('"').and_then(|word| word.strip_suffix('"'));
        word.map(str::to_owned).context("words in quotes")
    };
    words.split(',').map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_STAGES: &str = r#"# syntax=docker/dockerfile:1
ARG FINAL=second
FROM rust:1 AS first
WORKDIR /build
# said in between
RUN one \
    # and within
    && two
FROM ${FINAL}
COPY --from=first --chown=65532:65532 /build/a /a
ENV A=1 B=""
HEALTHCHECK --interval=10s CMD ["/a", "ask"]
EXPOSE 8080
ENTRYPOINT ["/a"]
"#;

    #[test]
    fn stages_and_steps_are_read_as_an_engine_reads_them() {
        let read = Dockerfile::parse(TWO_STAGES).unwrap();
        assert_eq!(read.stage("first").unwrap().steps[1], Step::Run("one && two".to_owned()));
        let last = read.last().unwrap();
        assert_eq!(last.base, "second");
        let copy = Step::Copy {
            from: Some("first".to_owned()),
            owner: Some(65_532),
            sources: vec!["/build/a".to_owned()],
            target: "/a".to_owned(),
        };
        let pairs = [("A", "1"), ("B", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let healthcheck = Step::Healthcheck(vec!["/a".to_owned(), "ask".to_owned()]);
        assert_eq!(last.steps, [copy, Step::Env(pairs.into()), healthcheck, Step::Entrypoint(vec!["/a".to_owned()])]);
    }

    #[test]
    fn what_is_not_understood_is_not_passed_over() {
        for step in ["ONBUILD RUN x", "ENTRYPOINT /a", "USER nobody"] {
            assert!(Dockerfile::parse(&format!("FROM x\n{step}\n")).is_err(), "{step}");
        }
    }
}
