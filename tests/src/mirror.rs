//! The Debian mirror that boxes are built from: the one that the host itself is kept up to date from.

use std::{env, fs, path::PathBuf};

use anyhow::{Context as _, Result};

/// The archive's address: `$SVC_BOX_MIRROR`, or what the host's apt sources name for its own release.
pub(crate) fn find() -> Result<String> {
    if let Ok(mirror) = env::var("SVC_BOX_MIRROR") {
        return Ok(mirror);
    }
    let codename = codename().context("this is no Debian: name a Debian mirror in SVC_BOX_MIRROR")?;
    let found =
        sources()?.iter().find_map(|text| in_stanzas(text, &codename).or_else(|| in_lines(text, &codename)));
    found
        .with_context(|| format!("apt's sources name no mirror for `{codename}`: name one in SVC_BOX_MIRROR"))
}

/// The release's code name where the host is a Debian itself; a derivative's mirror has other packages.
fn codename() -> Option<String> {
    let release = fs::read_to_string("/etc/os-release").ok()?;
    let value = |key: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    if value("ID")? == "debian" { value("VERSION_CODENAME") } else { None }
}

fn sources() -> Result<Vec<String>> {
    let mut paths = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(entries) = fs::read_dir("/etc/apt/sources.list.d") {
        paths.extend(entries.flatten().map(|entry| entry.path()));
    }
    paths.sort();
    let present = paths.iter().filter(|path| path.exists());
    present
        .map(|path| fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display())))
        .collect()
}

/// Searches the format of `*.sources`.
fn in_stanzas(text: &str, codename: &str) -> Option<String> {
    text.split("\n\n").find_map(|stanza| {
        let values = |key: &str| -> Vec<&str> {
            let line = stanza.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
            line.unwrap_or_default().split_whitespace().collect()
        };
        let fits = values("Types").contains(&"deb")
            && values("Suites").contains(&codename)
            && values("Components").contains(&"main")
            && !values("Enabled").contains(&"no");
        if fits { values("URIs").into_iter().find(|uri| is_archive(uri)).map(Into::into) } else { None }
    })
}

/// Searches the format of `*.list`, one source a line.
fn in_lines(text: &str, codename: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let line = line.strip_prefix("deb ")?;
        let rest = match line.trim_start().strip_prefix('[') {
            Some(options) => options.split_once(']')?.1,
            None => line,
        };
        let words: Vec<&str> = rest.split_whitespace().collect();
        let [uri, suite, components @ ..] = words.as_slice() else { return None };
        let fits = is_archive(uri) && *suite == codename && components.contains(&"main");
        fits.then(|| (*uri).to_owned())
    })
}

/// Discs are no mirrors.
fn is_archive(uri: &str) -> bool {
    !uri.starts_with("cdrom:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_of_the_own_release_is_taken_from_stanzas() {
        let text = "Types: deb\nURIs: https://security.invalid/debian\nSuites: bookworm-security\nComponents: main\n\n\
                    Types: deb deb-src\n# a comment\nURIs: https://mirror.invalid/debian\nSuites: bookworm bookworm-updates\n\
                    Components: main contrib\n";
        assert_eq!(in_stanzas(text, "bookworm").as_deref(), Some("https://mirror.invalid/debian"));
        assert_eq!(in_stanzas(text, "trixie"), None);
    }

    #[test]
    fn a_disabled_stanza_is_passed_over() {
        let text = "Types: deb\nEnabled: no\nURIs: https://mirror.invalid/debian\nSuites: bookworm\nComponents: main\n";
        assert_eq!(in_stanzas(text, "bookworm"), None);
    }

    #[test]
    fn the_mirror_is_taken_from_lines_with_and_without_options() {
        let text = "# deb https://old.invalid/debian bookworm main\n\
                    deb cdrom:[Debian]/ bookworm main\n\
                    deb https://tools.invalid/apt stable main\n\
                    deb [arch=amd64 signed-by=/k.gpg] https://mirror.invalid/debian bookworm main contrib\n";
        assert_eq!(in_lines(text, "bookworm").as_deref(), Some("https://mirror.invalid/debian"));
        assert_eq!(
            in_lines("deb https://mirror.invalid/debian sid main", "sid").as_deref(),
            Some("https://mirror.invalid/debian")
        );
    }
}
