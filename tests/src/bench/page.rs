//! The figures as a table, and the page that keeps them.

use std::{fs, io::Write as _};

use anyhow::Result;

use super::figure::Figure;
use crate::Machine;

const HEAD: [&str; 6] = ["what", "svc", "bare tools", "svc : bare", "bound", "holds"];

/// Shows the table on stdout.
pub(super) fn show(figures: &[Figure]) -> Result<()> {
    Ok(write!(std::io::stdout(), "{}", table(figures))?)
}

/// The page: how it was measured, on what, and the table.
pub(super) fn text(machine: &Machine, figures: &[Figure], pairs: usize) -> Result<String> {
    let said = |line: &str| Ok::<_, anyhow::Error>(machine.check(line)?.trim().to_owned());
    Ok(format!(
        "# Benchmarks\n\n\
         `cargo box bench` measures `svc` beside the bare tools that do the same, in a box with real systemd, Docker\n\
         and restic, and writes this page. Each figure is the median of at least {pairs} pairs; in each pair both ran one\n\
         right after the other, and each side went first half of the time.\n\n\
         | | |\n|---|---|\n| date | {} |\n| machine | {} |\n| load | {} |\n| kernel | {} |\n| systemd | {} |\n| Docker | {} |\n| restic | {} |\n| svc | {} |\n\n{}",
        said("date -u +%F")?,
        hardware()?,
        load()?,
        said("uname -r")?,
        said("systemctl --version | head -n 1 | cut -d ' ' -f 2")?,
        said("docker version --format '{{.Server.Version}}'")?,
        said("restic version | cut -d ' ' -f 2")?,
        said("svc --version | cut -d ' ' -f 2")?,
        table(figures),
    ))
}

/// Who measures times on a busy machine should know: bounds in milliseconds are for one that has nothing else to do.
fn load() -> Result<String> {
    let averages = fs::read_to_string("/proc/loadavg")?;
    Ok(format!("{} in the last five minutes", averages.split(' ').nth(1).unwrap_or_default()))
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
