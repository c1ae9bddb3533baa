//! All tests that need the whole program, in one binary, because linking DataFusion is what takes time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod after_closing;
mod aws_bill;
mod aws_parts;
mod bike_share;
mod cli;
mod clock;
mod closing;
mod corrected;
mod damage;
mod day;
mod decisions;
mod delta;
mod documents;
mod ends;
mod events;
mod explain;
mod export;
mod export_names;
mod export_page;
mod fault_store;
mod fields;
mod foreign_files;
mod formats;
mod generate;
mod grafana;
mod histories;
mod init;
mod jobs;
mod landing;
mod landing_again;
mod landing_query;
mod laws;
mod ledger;
mod life;
mod limits;
mod listed;
mod machine;
mod made_whole;
mod many_landings;
mod merging;
mod mistakes;
mod mistakes_in_data;
mod names;
mod openapi;
mod operate;
mod own_usage;
mod plan;
mod prompt;
mod properties;
mod queries;
mod questions;
mod rate_book;
mod rating;
mod real_data;
mod reference;
mod reference_files;
mod replay;
mod rerating;
mod rounding;
mod runners;
mod s3;
mod sample;
mod schedulers;
mod seaweed;
mod serve;
mod serve_keys;
mod serve_limits;
mod serve_log;
mod serve_pages;
mod serve_read;
mod serve_tls;
mod served;
mod spans;
mod taxi;
mod terms;
mod tidy;
mod vacuum;
mod voided;
mod webhooks;
