//! The bank as a program: it says where it listens, and stops on an interrupt.

use std::net::SocketAddr;

use clap::Parser;
use sample_bank::{SampleBank, Settings, SiteState};

/// A bank web site that can be told to misbehave.
///
/// Its customers are made up: 12345678 with password Correct-Horse-7!, and 87654321 with password Distant-Ocean-4!.
/// With the password fault-NAME, `fault-otp` for example, one login meets the site in the state NAME below, and nobody else does.
/// Example: curl -X PUT http://127.0.0.1:18091/state -H 'content-type: application/json' -d '{"state":"otp"}'
#[derive(Parser)]
#[command(version, after_help = states())]
struct Options {
    /// Where the site listens.
    #[arg(long, default_value = "127.0.0.1:18090", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where the control port listens; it has no login.
    #[arg(long, default_value = "127.0.0.1:18091", value_name = "ADDRESS")]
    control: SocketAddr,
    /// How the site behaves at first, one of the states below.
    #[arg(long, default_value = "ok")]
    state: SiteState,
    /// How many operations the first account has.
    #[arg(long, default_value_t = 300, value_name = "COUNT")]
    operations: u32,
    /// Ask for a code after login.
    #[arg(long)]
    ask_otp: bool,
    /// Stop when standard input ends, too: a bank that another program started ends with it, however that ends.
    #[arg(long)]
    until_input_ends: bool,
}

fn states() -> String {
    let rows = SiteState::TABLE.iter().map(|(_, name, doc)| format!("  {name:<17} {doc}"));
    format!("States:\n{}", rows.collect::<Vec<_>>().join("\n"))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let settings = Settings {
        state: options.state,
        operations: [options.operations, 0, 0],
        ask_otp: options.ask_otp,
        ..Settings::default()
    };
    let bank = SampleBank::start_with(options.listen, options.control, settings).await?;
    println!("site     {}", bank.site_url);
    println!("control  {}", bank.control_url);
    let input_ends = async {
        if !options.until_input_ends {
            return std::future::pending().await;
        }
        let (tell, ended) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            // What can't be read has ended.
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            tell.send(())
        });
        let _ = ended.await;
    };
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        () = input_ends => {}
    }
    bank.stop().await;
    Ok(())
}
