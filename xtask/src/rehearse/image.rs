//! An image without an engine: each stage of a Dockerfile is a directory, empty at first, in which its steps are run as they
//! stand. What the bases bring is this machine's: its toolchains, and for the last stage the few files that a program needs.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

use super::context::Sent;
use super::dockerfile::{Dockerfile, Stage, Step};
use crate::{process, root, step, tools};

/// What `distroless/cc` has of libraries. A program that came to need another would start here and not there.
const LIBRARIES_OF_DISTROLESS: [&str; 8] = [
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
    "libc.so.6",
    "libm.so.6",
    "libgcc_s.so.1",
    "libdl.so.2",
    "libpthread.so.0",
    "librt.so.1",
];

/// What the tag `nonroot` of that image means.
const NONROOT: u32 = 65_532;

/// What is ready to be started.
pub struct Image {
    /// `/` to its program.
    pub root: PathBuf,
    pub env: Vec<(String, String)>,
    pub user: u32,
    /// ENTRYPOINT, and CMD: what arguments replace.
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    pub healthcheck: Vec<String>,
}

/// One image being built.
pub struct Build<'a> {
    /// The Dockerfile's directory.
    pub context: &'a Path,
    /// Where stages go; emptied first.
    pub dir: PathBuf,
    /// `--build-arg`.
    pub args: Vec<(&'static str, String)>,
    /// A program that takes the place of what `cargo build --release` would make.
    pub instead_of_cargo: Option<&'a Path>,
}

impl Build<'_> {
    pub fn run(&self) -> anyhow::Result<Image> {
        let path = self.context.join("Dockerfile");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let file = Dockerfile::parse(&text).with_context(|| format!("in {}", path.display()))?;
        if self.dir.exists() {
            fs::remove_dir_all(&self.dir).with_context(|| format!("cannot empty {}", self.dir.display()))?;
        }
        let mut roots = HashMap::new();
        let mut image = self.stage(&file, file.last()?, &mut roots)?;
        image.finish()?;
        Ok(image)
    }

    /// As an engine does, builds only what the last stage needs.
    fn stage(&self, file: &Dockerfile, stage: &Stage, roots: &mut HashMap<String, PathBuf>) -> anyhow::Result<Image> {
        let name = stage.name.as_deref().unwrap_or("last");
        if let Some(below) = file.stage(&stage.base) {
            ensure!(stage.steps.is_empty(), "the rehearsal does not know steps on top of another stage: {name}");
            return self.stage(file, below, roots);
        }
        let mut image = Image::empty(self.dir.join(name), &stage.base)?;
        let mut workdir = PathBuf::from("/");
        for step in &stage.steps {
            match step {
                Step::Workdir(dir) => {
                    workdir = dir.into();
                    fs::create_dir_all(image.place(dir))?;
                }
                Step::Copy { from: None, sources, target, .. } => {
                    let sent = Sent::of(self.context)?;
                    for source in sources {
                        copy(self.context, source, &sent.files(source)?, &image.place(workdir.join(target)), target)?;
                    }
                }
                Step::Copy { from: Some(from), owner, sources, target } => {
                    if !roots.contains_key(from) {
                        let other = file.stage(from).with_context(|| format!("no stage {from}"))?;
                        let built = self.stage(file, other, roots)?;
                        roots.insert(from.clone(), built.root);
                    }
                    for source in sources {
                        let source = source.trim_start_matches('/');
                        let to = image.place(workdir.join(target));
                        copy(&roots[from], source, &below(&roots[from], source)?, &to, target)?;
                        if let Some(owner) = *owner {
                            chown(&to, Some(owner), Some(owner)).with_context(|| format!("chown {}", to.display()))?;
                        }
                    }
                }
                Step::Run(script) => self.run_step(script, &image, &workdir)?,
                Step::Env(pairs) => image.env.extend(pairs.iter().cloned()),
                Step::Arg(name) => {
                    let given = self.args.iter().find(|(other, _)| other == name);
                    image.env.extend(given.map(|(name, value)| ((*name).to_owned(), value.clone())));
                }
                Step::User(user) => image.user = *user,
                Step::Entrypoint(words) => image.entrypoint.clone_from(words),
                Step::Cmd(words) => image.cmd.clone_from(words),
                Step::Healthcheck(words) => image.healthcheck.clone_from(words),
            }
        }
        Ok(image)
    }

    fn run_step(&self, script: &str, image: &Image, workdir: &Path) -> anyhow::Result<()> {
        if let Some(absolute) = script.split_whitespace().find(|word| word.starts_with('/')) {
            bail!("`RUN … {absolute} …` would touch this machine: let the step stay in its WORKDIR");
        }
        let script = match self.instead_of_cargo {
            Some(program) => without_cargo(script, program),
            None => script.to_owned(),
        };
        step::note(&format!("RUN {script}"));
        let mut shell = process::shell(&script);
        // Dependencies that were built for releases before are not built again: the cache that an engine's layers are.
        shell.env("CARGO_BUILD_BUILD_DIR", root().join("target"));
        process::run(shell.envs(image.env.iter().cloned()).current_dir(image.place(workdir)))
    }
}

/// The script with each `cargo build` replaced by what checks that cargo could begin, and by a program that is there already.
fn without_cargo(script: &str, program: &Path) -> String {
    let instead = format!(
        "cargo metadata --locked --format-version 1 > metadata.json && install -D {} target/release/gapless",
        program.display()
    );
    let commands = script.split(" && ").map(str::trim);
    let kept = commands.map(|command| if command.contains("cargo build") { instead.as_str() } else { command });
    kept.collect::<Vec<_>>().join(" && ")
}

impl Image {
    fn empty(root: PathBuf, base: &str) -> anyhow::Result<Self> {
        fs::create_dir_all(&root).with_context(|| format!("cannot make {}", root.display()))?;
        let user = if base.ends_with(":nonroot") { NONROOT } else { 0 };
        let mut image =
            Self { root, env: Vec::new(), user, entrypoint: Vec::new(), cmd: Vec::new(), healthcheck: Vec::new() };
        if base.starts_with("caddy:") {
            let caddy = tools::caddy()?;
            image.env.push(("PATH".to_owned(), "/usr/bin".to_owned()));
            put(&caddy, &image.place("/usr/bin/caddy"))?;
            image.bring_libraries(&caddy)?;
        }
        Ok(image)
    }

    /// Where `path` of the image lies on this machine.
    pub fn place(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// What the base of an image that is started would have brought.
    fn finish(&mut self) -> anyhow::Result<()> {
        for dir in ["/tmp", "/proc", "/dev"] {
            fs::create_dir_all(self.place(dir))?;
        }
        fs::set_permissions(self.place("/tmp"), fs::Permissions::from_mode(0o1777))?;
        ensure!(self.user != 0, "an image whose program runs as root: give it a USER");
        if let Some(program) = self.entrypoint.first() {
            let program = self.place(program);
            for library in self.bring_libraries(&program)? {
                let name = library.file_name().unwrap_or_default().to_string_lossy().into_owned();
                ensure!(LIBRARIES_OF_DISTROLESS.contains(&&*name), "the program needs {name}, which its image lacks");
            }
        }
        Ok(())
    }

    /// Copies the libraries that `program` is linked with to where they lie on this machine.
    fn bring_libraries(&self, program: &Path) -> anyhow::Result<Vec<PathBuf>> {
        let listed = process::read(Command::new("ldd").arg(program))?;
        let libraries: Vec<PathBuf> =
            listed.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect();
        for library in &libraries {
            put(library, &self.place(library))?;
        }
        Ok(libraries)
    }
}

/// `COPY source target`: the content of a directory, or a file to or into `target`.
fn copy(dir: &Path, source: &str, files: &[PathBuf], place: &Path, target: &str) -> anyhow::Result<()> {
    let source = if source == "." { Path::new("") } else { Path::new(source.trim_end_matches('/')) };
    if dir.join(source).is_dir() {
        fs::create_dir_all(place)?;
    }
    for file in files {
        let within = file.strip_prefix(source).expect("files lie below their source");
        let to = if within.as_os_str().is_empty() {
            let into = target.ends_with('/') || place.is_dir();
            if into { place.join(file.file_name().unwrap_or_default()) } else { place.to_owned() }
        } else {
            place.join(within)
        };
        put(&dir.join(file), &to)?;
    }
    Ok(())
}

/// Copies a file with its rights and its time, which cargo looks at.
fn put(from: &Path, to: &Path) -> anyhow::Result<()> {
    let copied = || -> std::io::Result<()> {
        fs::create_dir_all(to.parent().unwrap_or(to))?;
        fs::copy(from, to)?;
        fs::File::options().append(true).open(to)?.set_modified(fs::metadata(from)?.modified()?)
    };
    copied().with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

/// The files at or below `source` of a stage, relative to its root.
fn below(root: &Path, source: &str) -> anyhow::Result<Vec<PathBuf>> {
    let (mut found, mut waiting) = (Vec::new(), vec![PathBuf::from(source)]);
    while let Some(path) = waiting.pop() {
        let place = root.join(&path);
        ensure!(place.exists(), "the stage made no {}", path.display());
        if place.is_dir() {
            waiting.extend(fs::read_dir(&place)?.flatten().map(|entry| path.join(entry.file_name())));
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_cargo_is_replaced_and_its_neighbours_stay() {
        let script = without_cargo("mkdir -p src && X=1 cargo build --release && strip a", Path::new("/debug/gapless"));
        assert!(script.starts_with("mkdir -p src && cargo metadata --locked"), "{script}");
        assert!(script.ends_with("install -D /debug/gapless target/release/gapless && strip a"), "{script}");
        assert!(!script.contains("cargo build"), "{script}");
    }

    #[test]
    fn a_directory_is_copied_as_its_content_and_a_file_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let place = |path: &str| dir.path().join(path);
        fs::create_dir_all(place("from/src/deep")).unwrap();
        fs::write(place("from/src/deep/a"), "a").unwrap();
        fs::write(place("from/Cargo.toml"), "b").unwrap();
        copy(&place("from"), "src", &["src/deep/a".into()], &place("to/sources"), "sources").unwrap();
        copy(&place("from"), "Cargo.toml", &["Cargo.toml".into()], &place("to/xtask/"), "xtask/").unwrap();
        assert!(place("to/sources/deep/a").is_file() && place("to/xtask/Cargo.toml").is_file());
    }
}
