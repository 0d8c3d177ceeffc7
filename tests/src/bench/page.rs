//! The figures as a table, and the page that keeps them: a section for each subject, of which one is written anew.

use std::{fs, io::ErrorKind, io::Write as _, path::Path};

use anyhow::Result;

use super::{Subject, downtime, figure::Figure};
use crate::Machine;

const HEAD: [&str; 6] = ["what", "svc", "bare tools", "svc : bare", "bound", "holds"];

const TITLE: &str = "# Benchmarks\n\n\
    `svc` beside the bare tools that do the same, in a box with real systemd, Docker and restic.\n\n";

/// How each section begins, by which it is found again.
const HEADING: &str = "## ";

const COMMANDS: &str = "\
    `cargo box bench` writes this section. Each figure is the median of at least PAIRS pairs; in each pair both ran one\n\
    right after the other, and each side went first half of the time.";

const DOWNTIME: &str = "\
    `cargo box bench downtime` writes this section. A service is a container that serves its data. It is *gone* from\n\
    Docker's event `die` to its event `start`, and *held* from `pause` to `unpause`. What a way *adds* is how long the\n\
    service is gone, less the same of a bare `docker stop; docker start` right beside it. Each figure is the median of\n\
    PAIRS rounds, where it does not say another one; of TWICE for few files, of FEW for what is saved for the first\n\
    time (by svc without any records of it, both to an empty repository), and of HALF for reflinks and the slow line.\n\
    The ways took turns in all orders. The box's disk has no write barriers: a flush costs nothing on either side.";

/// Shows the table on stdout.
pub(super) fn show(figures: &[Figure]) -> Result<()> {
    Ok(write!(std::io::stdout(), "{}", table(figures))?)
}

/// Writes a subject's section; the others stay as they are.
pub(super) fn write(
    page: &Path,
    machine: &Machine,
    subject: Subject,
    figures: &[Figure],
    pairs: usize,
    load: &str,
) -> Result<()> {
    let before = match fs::read_to_string(page) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        other => other?,
    };
    let (heading, how) = match subject {
        Subject::Commands => ("Commands", COMMANDS.replace("PAIRS", &pairs.to_string())),
        Subject::Downtime => ("Downtime", downtime::described(DOWNTIME, pairs)),
    };
    let body = format!("\n\n{how}\n\n{}\n{}", circumstances(machine, load)?, table(figures));
    Ok(fs::write(page, with_section(&before, heading, &body))?)
}

/// The page with this section in the place of the one of the same heading.
fn with_section(page: &str, heading: &str, body: &str) -> String {
    let (mut sections, mut is_new) = (Vec::new(), true);
    for section in format!("\n{page}").split(&format!("\n{HEADING}")).skip(1) {
        let is_same = section.lines().next() == Some(heading);
        is_new &= !is_same;
        sections.push(if is_same { format!("{heading}{body}") } else { format!("{}\n", section.trim_end()) });
    }
    if is_new {
        sections.push(format!("{heading}{body}"));
    }
    let sections: Vec<String> = sections.iter().map(|section| format!("{HEADING}{section}")).collect();
    format!("{TITLE}{}", sections.join("\n"))
}

/// On what it was measured, and when.
fn circumstances(machine: &Machine, load: &str) -> Result<String> {
    let said = |line: &str| Ok::<_, anyhow::Error>(machine.check(line)?.trim().to_owned());
    Ok(format!(
        "| | |\n|---|---|\n| date | {} |\n| machine | {} |\n| load | {} |\n| kernel | {} |\n| systemd | {} |\n| Docker | {} |\n| restic | {} |\n| svc | {} |\n",
        said("date -u +%F")?,
        hardware()?,
        load,
        said("uname -r")?,
        said("systemctl --version | head -n 1 | cut -d ' ' -f 2")?,
        said("docker version --format '{{.Server.Version}}'")?,
        said("restic version | cut -d ' ' -f 2")?,
        said("svc --version | cut -d ' ' -f 2")?,
    ))
}

/// Who measures times on a busy machine should know: bounds in milliseconds are for one that has nothing else to do.
pub(super) fn load() -> Result<String> {
    let averages = fs::read_to_string("/proc/loadavg")?;
    Ok(format!("{} in the minute before", averages.split(' ').next().unwrap_or_default()))
}

fn hardware() -> Result<String> {
    let processors = fs::read_to_string("/proc/cpuinfo")?;
    let value = |line: &str| line.split_once(": ").map(|(_, value)| value.to_owned());
    let model = processors.lines().find(|line| line.starts_with("model name")).and_then(value);
    let count = processors.lines().filter(|line| line.starts_with("processor")).count();
    let memory = fs::read_to_string("/proc/meminfo")?;
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next());
    let gigabytes = total.and_then(|total| total.parse::<u64>().ok()).unwrap_or_default() / 1_000_000;
    Ok(format!("{count} × {}, {gigabytes} GB", model.as_deref().unwrap_or("an unnamed processor")))
}

fn table(figures: &[Figure]) -> String {
    let rows: Vec<[&str; 6]> = figures.iter().map(row).collect();
    let width = |column: usize| {
        let cells = rows.iter().chain([&HEAD]).map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let widths = [0, 1, 2, 3, 4, 5].map(width);
    let line = |cells: &[&str; 6]| {
        let cells = cells.iter().zip(widths).map(|(cell, width)| format!(" {cell:width$} |"));
        format!("|{}\n", cells.collect::<String>())
    };
    let rule = widths.map(|width| "-".repeat(width + 2)).join("|");
    let body: String = rows.iter().map(line).collect();
    format!("{}|{rule}|\n{body}", line(&HEAD))
}

fn row(figure: &Figure) -> [&str; 6] {
    let holds = if figure.holds { "yes" } else { "**no**" };
    [&figure.what, &figure.svc, &figure.bare, &figure.ratio, &figure.bound, holds]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_written_anew_and_the_others_stay() {
        let both = with_section(&with_section("", "Commands", "\n\none\n"), "Downtime", "\n\ntwo\n");
        assert_eq!(both, format!("{TITLE}## Commands\n\none\n\n## Downtime\n\ntwo\n"));
        assert_eq!(with_section(&both, "Commands", "\n\nnew\n"), both.replace("one", "new"));
        assert_eq!(with_section(&both, "Downtime", "\n\nnew\n"), both.replace("two", "new"));
    }

    #[test]
    fn the_table_is_aligned_and_a_broken_bound_stands_out() {
        let figures = [Figure::amount("its waits", 3, 3, ""), Figure::amount("memory", 16, 15, " MB")];
        let expected = "\
            | what      | svc   | bare tools | svc : bare | bound   | holds  |\n\
            |-----------|-------|------------|------------|---------|--------|\n\
            | its waits | 3     |            |            | ≤ 3     | yes    |\n\
            | memory    | 16 MB |            |            | ≤ 15 MB | **no** |\n";
        assert_eq!(table(&figures), expected);
    }
}
