//! TAB offers what there is, in the shells that people use.

use anyhow::Result;
use svc_tests::Homeserver;

/// What bash offers after a line, one a line.
fn bash(server: &Homeserver, words: &str) -> Result<Vec<String>> {
    let script = format!(
        "source <(svc completions bash)
         COMP_WORDS=({words} ''); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_TYPE=9
         _clap_complete_svc svc '' \"${{COMP_WORDS[COMP_CWORD-1]}}\"
         printf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    offered(server, &["bash", "-c", &script])
}

/// What fish offers after a line, one a line, without the descriptions.
fn fish(server: &Homeserver, line: &str) -> Result<Vec<String>> {
    let script = format!("svc completions fish | source; complete --do-complete '{line} '");
    let lines = offered(server, &["fish", "--no-config", "-c", &script])?;
    Ok(lines.iter().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect())
}

/// What zsh shows on a terminal after a line and TAB.
fn zsh(server: &Homeserver, line: &str) -> Result<String> {
    let script = format!(
        "zmodload zsh/zpty
         zpty shell 'PS1=READY: zsh -f -i'
         zpty -w shell 'autoload -U compinit && compinit -u && source <(svc completions zsh) && LISTMAX=1000 && print SOURCED'
         zpty -r -m shell seen '*SOURCED*SOURCED*'
         zpty -w -n shell '{line} '$'\\t'$'\\t'
         zpty -r -m shell seen '*watchtower*'
         print -r -- \"$seen\""
    );
    server.home.program(["timeout", "30", "zsh", "-f", "-c", &script])?.check()
}

fn offered(server: &Homeserver, argv: &[&str]) -> Result<Vec<String>> {
    Ok(server.home.program(argv)?.check()?.lines().map(str::to_owned).collect())
}

#[test]
fn shells_offer_services_repositories_and_snapshots() -> Result<()> {
    let Some(server) = Homeserver::for_test()? else { return Ok(()) };
    server.home.check("svc backup local notes")?;
    let id = server.home.check("svc list-backups local notes --json | jq -r '.[0].id[:8]'")?;
    for shell in [bash, fish] {
        let has = |words: &str, one: &str| -> Result<()> {
            let offered = shell(&server, words)?;
            assert!(offered.iter().any(|word| word.trim() == one), "`{words}`: {one} is not in {offered:?}");
            Ok(())
        };
        has("svc", "backup")?;
        has("svc backup", "remote")?;
        has("svc backup local", "paperless")?;
        has("svc restore local notes", "latest")?;
        has("svc restore local notes", id.trim())?;
    }
    let shown = zsh(&server, "svc backup local")?;
    assert!(shown.contains("paperless") && shown.contains("music"), "{shown}");
    Ok(())
}
