//! From the rounds to one number, and where they were made.

/// How the rounds come to one number.
#[derive(Clone, Copy)]
pub enum Pick {
    /// The least of them.
    Least,
    /// The most.
    Most,
    /// The mean.
    Mean,
}

impl Pick {
    /// The number.
    pub fn of(self, values: &[f64]) -> f64 {
        match self {
            Pick::Least => values.iter().copied().fold(f64::INFINITY, f64::min),
            Pick::Most => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Pick::Mean => values.iter().sum::<f64>() / values.len() as f64,
        }
    }

    /// As the table says it.
    pub fn name(self) -> &'static str {
        match self {
            Pick::Least => "least",
            Pick::Most => "most",
            Pick::Mean => "mean",
        }
    }
}

/// The program, the day and the machine, in a line.
pub fn machine(repeat: u32) -> String {
    let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = text("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, m)| m));
    let kernel = text("/proc/sys/kernel/osrelease");
    let profile = if cfg!(debug_assertions) { ", UNOPTIMISED" } else { "" };
    format!(
        "stonechat {}, {}, {} x {}, Linux {}, rounds: {repeat}{profile}",
        env!("CARGO_PKG_VERSION"),
        jiff::Timestamp::now().strftime("%Y-%m-%d"),
        std::thread::available_parallelism().map_or(0, usize::from),
        model.unwrap_or(std::env::consts::ARCH),
        kernel.trim(),
    )
}
