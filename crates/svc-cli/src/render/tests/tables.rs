use insta::assert_snapshot;
use svc_core::code::Code;
use svc_core::report::{Report, UnsavedReport};

use super::{assert_fits, backup, plan_of, report_of, restore};
use crate::render::table::{Column, Table};
use crate::render::{Look, result};
use svc_tui::live::Span;
use svc_tui::words::Tone;

const fn look(width: usize) -> Look {
    Look { width, colour: false, glyphs: true }
}

#[test]
fn the_result_has_a_glyph_a_word_and_figures() {
    let (report, plan) = (report_of(&backup()), plan_of(&backup()));
    assert_snapshot!(result::table(&report, Some(&plan), look(120)), @r"
      service     result     snapshot   files     size     added  downtime   took
      paperless   ✓ ok       4f1c9a2b  12,400  2.8 GiB  31.0 MiB      39 s   48 s
      music       ✗ failed                                                  0.0 s
      watchtower  – skipped                                                        none of these repositories takes it

    3 services: 1 ok, 1 failed, 1 skipped, in 48 s
    ");
    assert_snapshot!(result::table(&report, Some(&plan), look(40)), @r"
      service     result     snapshot   took
      paperless   ✓ ok       4f1c9a2b   48 s
      music       ✗ failed             0.0 s
      watchtower  – skipped

    3 services: 1 ok, 1 failed, 1 skipped,
    in 48 s
    ");
}

#[test]
fn two_repositories_have_a_row_each() {
    let (mut report, mut plan): (Report, _) = (report_of(&backup()), plan_of(&backup()));
    let names: Vec<svc_core::names::RepositoryName> =
        vec!["local".parse().unwrap(), "remote".parse().unwrap()];
    if let svc_core::goal::Goal::Backup { repositories, .. } = &mut plan.goal {
        *repositories = names.clone();
    }
    let mut local = report.services[0].snapshots[0].clone();
    local.repository = names[0].clone();
    report.services[0].snapshots.insert(0, local.clone());
    report.services[1].snapshots.push(local);
    assert_snapshot!(result::table(&report, Some(&plan), look(100)), @r"
      service     result     repository  snapshot   files     size     added  downtime   took
      paperless   ✓ ok       local       4f1c9a2b  12,400  2.8 GiB  31.0 MiB      39 s   48 s
                  ✓ ok       remote      4f1c9a2b  12,400  2.8 GiB  31.0 MiB
      music       ✓ ok       local       4f1c9a2b  12,400  2.8 GiB  31.0 MiB            0.0 s
                  ✗ failed   remote
      watchtower  – skipped

    3 services: 1 ok, 1 failed, 1 skipped, in 48 s
    ");
}

#[test]
fn a_repository_that_got_no_snapshot_is_named_with_its_own_reason() {
    let (mut report, mut plan): (Report, _) = (report_of(&backup()), plan_of(&backup()));
    let [local, remote, usb] =
        ["local", "remote", "usb"].map(|name| name.parse::<svc_core::names::RepositoryName>().unwrap());
    if let svc_core::goal::Goal::Backup { repositories, .. } = &mut plan.goal {
        *repositories = vec![local.clone(), remote, usb.clone()];
    }
    let unsaved = [(usb, Code::Unreachable), (local, Code::NoSpace)];
    let unsaved = unsaved.map(|(repository, code)| UnsavedReport { repository, code });
    for service in &mut report.services[..2] {
        service.code = Code::NoSpace;
        service.unsaved = unsaved.to_vec();
    }
    assert_snapshot!(result::table(&report, Some(&plan), look(100)), @r"
      service     result         repository  snapshot   files     size     added  downtime   took
      paperless   ✓ ok           remote      4f1c9a2b  12,400  2.8 GiB  31.0 MiB      39 s   48 s
                  ✗ unreachable  usb
                  ✗ no space     local
      music       ✗ unreachable  usb                                                        0.0 s
                  ✗ no space     local
      watchtower  – skipped

    3 services: 2 no space, 1 skipped, in 48 s
    ");
}

#[test]
fn every_width_from_40_to_200_columns_holds_a_result() {
    for width in (40..=200).step_by(4) {
        for run in [backup(), restore()] {
            let text = result::table(&report_of(&run), Some(&plan_of(&run)), look(width));
            // The path of the kept data is one word: it is copied, not wrapped.
            let table: String =
                text.lines().filter(|line| !line.contains("is kept in")).collect::<Vec<_>>().join("\n");
            assert_fits(&table, width);
        }
    }
}

#[test]
fn wide_letters_and_long_names_stay_in_their_columns() {
    let mut table = Table::new([Column::words("name"), Column::figures("size"), Column::sentences("note")]);
    let row = |name: &str, size: &str, note: &str| {
        [Span::new(name, Tone::Plain), Span::new(size, Tone::Plain), Span::new(note, Tone::Plain)]
    };
    table.row(row("請求書", "1.2 GiB", "größer als sonst"));
    table.row(row("a", "12 B", "日本語のとても長い説明文がここにあります"));
    table.row(row(&"x".repeat(63), "0 B", ""));
    assert_snapshot!(anstream::adapter::strip_str(&table.text(60)), @r"
    name                              size  note
    請求書                         1.2 GiB  größer als sonst
    a                                 12 B  日本語のとても長い
                                            説明文がここにあり
                                            ます
    xxxxxxxxxxxxxxxxxxxxxxxxxxxxx      0 B
    xxxxxxxxxxxxxxxxxxxxxxxxxxxxx
    xxxxx
    ");
}

#[test]
fn a_failure_is_red_and_bold_and_a_success_green() {
    crossterm::style::force_color_output(true);
    let coloured =
        result::table(&report_of(&backup()), Some(&plan_of(&backup())), Look { colour: true, ..look(80) });
    assert!(coloured.contains("\x1b[38;5;2m✓ ok"), "{coloured:?}");
    assert!(
        coloured.contains("\x1b[31m\x1b[1m1 failed,\x1b[0m")
            || coloured.contains("\x1b[1m\x1b[31m1 failed,\x1b[0m"),
        "{coloured:?}"
    );
}
