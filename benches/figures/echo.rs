//! Echoes: one peer publishes, the other publishes an answer, the first receives it.

use super::{
    bare,
    plan::Plan,
    process,
    sheet::{Figure, Sheet, Side},
    worker::{Role, Worker},
};

/// Measures one round.
pub fn measure(plan: &Plan, sheet: &mut Sheet) {
    for (role, side, name) in
        [(Role::Node, Side::Ours, "a node's echo"), (Role::Bare(bare::Extra::default()), Side::Bare, "a bare echo")]
    {
        if let Err(error) = run(plan, role, side, sheet) {
            sheet.fail(name, &error);
        }
    }
    sheet.note(format!(
        "Echoes are between two peers of the library in two processes on loopback, {} one after the other and then {} \
         with 32 in flight; the memory after them is the asking peer's.",
        plan.echoes, plan.trips
    ));
}

fn run(plan: &Plan, role: Role, side: Side, sheet: &mut Sheet) -> Result<(), String> {
    let mut echo = Worker::start_by(plan.worker.as_deref(), role, None)?;
    let mut ping = Worker::start_by(plan.worker.as_deref(), role, Some(&echo.address.clone()))?;
    echo.wait_joined(1)?;
    ping.wait_joined(1)?;
    let [p50, p99, lost_one] = numbers(ping.order(&format!("echo {}", plan.echoes))?)?;
    sheet.take(Figure::EchoP50, side, p50);
    sheet.take(Figure::EchoP99, side, p99);
    let [rate, lost] = numbers(ping.order(&format!("flight {} 32", plan.trips))?)?;
    sheet.take(Figure::Rate, side, rate);
    sheet.take(Figure::Lost, side, lost);
    if plan.worker.is_none() {
        sheet.take(Figure::MemoryAfter, side, process::resident_mib(ping.pid())?);
    }
    if lost_one > 0.0 {
        return Err(format!("{lost_one} echoes of {} were lost with one in flight", plan.echoes));
    }
    Ok(())
}

fn numbers<const N: usize>(answer: Vec<f64>) -> Result<[f64; N], String> {
    answer.try_into().map_err(|answer| format!("a worker answered {answer:?}"))
}
