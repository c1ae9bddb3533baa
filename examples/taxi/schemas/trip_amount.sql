-- What a trip costs by the tariff, part by part, and what the cab took.
create table trip_amount (
    landing_sequence bigint not null comment 'the trip',
    usage_type varchar not null comment 'the kind of trip',
    vendor_id varchar not null comment 'who made the meter',
    usage_start timestamp not null comment 'pick-up',
    fare decimal(38, 12) not null comment 'flat, negotiated or metered; metered: by distance or by time, whichever is more [USD]',
    fare_from decimal(38, 12) not null comment 'least the meter can show; as fare where nothing is metered [USD]',
    fare_to decimal(38, 12) not null comment 'most the meter can show [USD]',
    extra decimal(38, 12) not null comment 'night and peak surcharges [USD]',
    state_tax decimal(38, 12) not null comment 'tax of the state [USD]',
    improvement decimal(38, 12) not null comment 'improvement surcharge [USD]',
    congestion decimal(38, 12) not null comment 'congestion surcharge [USD]',
    true_fare decimal(38, 12) not null comment 'as taken [USD]',
    true_extra decimal(38, 12) not null comment 'as taken, without the congestion surcharge [USD]',
    true_state_tax decimal(38, 12) not null comment 'as taken [USD]',
    true_improvement decimal(38, 12) not null comment 'as taken [USD]',
    true_congestion decimal(38, 12) not null comment 'as taken [USD]',
    primary key (landing_sequence)
);
