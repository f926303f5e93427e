//! Reads `compose.yaml`: the services of its profile `whole`, in the order in which they can start.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

use crate::{lint_deploy, process, root};

const READER: &str = include_str!("compose.py");

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Service {
    pub name: String,
    /// The directory of its Dockerfile; `None` for a third-party image.
    pub build: Option<String>,
    pub env: Vec<(String, String)>,
    /// A file with its configuration.
    pub config: Option<String>,
}

/// Reads the services, with variables in their settings replaced by `variables`, as from an `.env` file.
pub fn services(dir: &Path, variables: &[(&str, &str)]) -> anyhow::Result<Vec<Service>> {
    let python = lint_deploy::checkers()?.join("bin/python");
    let printed =
        process::read(Command::new(python).args(["-c", READER, "compose.yaml", "whole"]).arg(dir).current_dir(root()))?;
    parse(&printed, variables)
}

fn parse(printed: &str, variables: &[(&str, &str)]) -> anyhow::Result<Vec<Service>> {
    let mut services: Vec<Service> = Vec::new();
    for line in printed.lines() {
        let words: Vec<_> = line.split('\t').collect();
        if let ["service", name] = words[..] {
            services.push(Service { name: name.to_owned(), ..Service::default() });
            continue;
        }
        let service =
            services.last_mut().context("the reader of compose.yaml printed a line before the first service")?;
        match words[..] {
            ["build", context] => service.build = Some(context.to_owned()),
            ["env", name, value] => service.env.push((name.to_owned(), filled_in(value, variables)?)),
            ["config", file] => service.config = Some(file.to_owned()),
            _ => bail!("the reader of compose.yaml printed an unknown line: `{line}`"),
        }
    }
    Ok(services)
}

/// Expands `${NAME:-default}`: the default replaces an unset or empty variable.
fn filled_in(value: &str, variables: &[(&str, &str)]) -> anyhow::Result<String> {
    let Some((before, rest)) = value.split_once("${") else { return Ok(value.to_owned()) };
    let (inside, after) = rest.split_once('}').context("a variable has no closing brace")?;
    let (name, default) = inside.split_once(":-").context("a variable has no default")?;
    let given = variables.iter().find(|(other, value)| *other == name && !value.is_empty());
    Ok(format!("{before}{}{}", given.map_or(default, |(_, value)| value), filled_in(after, variables)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_have_their_settings_filled_in() {
        let printed = "service\tapi\nbuild\t.\nenv\tA\t${A:-1} and ${B:-2}\nservice\tproxy\nconfig\t/x/proxy\n";
        let [api, proxy] = <[Service; 2]>::try_from(parse(printed, &[("B", "b"), ("A", "")]).unwrap()).unwrap();
        assert_eq!(api.env, [("A".to_owned(), "1 and b".to_owned())]);
        assert_eq!((api.build.as_deref(), proxy.config.as_deref()), (Some("."), Some("/x/proxy")));
    }
}
