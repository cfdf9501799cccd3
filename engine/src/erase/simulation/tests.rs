use super::*;
use crate::erase::retention::TABLE;

fn plan(days: u32, seed: u64) -> Plan {
    let start = "2026-11-21T00:00:00Z".parse().unwrap();
    Plan { start, days, seed, records_a_day: 3, copies_every: 1 }
}

#[test]
fn every_row_that_can_be_stored_is_simulated() {
    let simulated: Vec<_> = kinds::ALL.iter().map(|kind| kind.row().id).collect();
    let stored: Vec<_> = TABLE.iter().filter(|row| row.store != "ram").map(|row| row.id).collect();
    assert_eq!(simulated, stored);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_two_months_each_record_goes_at_its_deadline_whatever_happens_to_the_node() {
    let folder = tempfile::tempdir().unwrap();
    let report = run(&plan(60, 4), folder.path(), crate::keys::software::tests::keys(), |_| true).await.unwrap();
    println!("{report:?}");
    assert_eq!(report.wrong, [""; 0]);
    let sum = |of: fn(&RowReport) -> usize| report.rows.values().map(of).sum::<usize>();
    assert!(sum(|row| row.made) == 180 && sum(|row| row.at_deadline) > 20 && sum(|row| row.early) > 5);
    assert!(report.copies_tried > 10 && report.copied_gone > 0);
    assert!([report.restarts, report.clocks_back, report.restored].iter().all(|count| *count > 0));
}
