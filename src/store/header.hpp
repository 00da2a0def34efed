// store/header: what is known before the first block, as columns and root attributes, and back.
#pragma once

#include <headsweep/store.hpp>

#include "store/columns.hpp"

namespace headsweep {

/// Lengths of the axes that the header fixes.
Extents extents_of(const SweepHeader& header);
/// Rows of /questions that validate in a fold, then those that are tested, each ascending: what the items of
/// its trials are about.
std::vector<std::int32_t> measured_questions(const SweepHeader& header, int fold);

void write_attributes(h5::File* file, const SweepHeader& header);
/// How well the judge knows the references, as root attributes.
void write_quality(h5::File* file, const std::vector<Reference>& references);
/// Every column of origin `probe`.
void write_probe(ColumnWriter* out, const SweepHeader& header);
/// Every column of origin `header` or `header_and_part`.
void write_design(ColumnWriter* out, const SweepHeader& header);

void write_extensions(ColumnWriter* out, const std::vector<Extension>& rows);
std::vector<Extension> read_extensions(ColumnReader* in);
/// Those of another folder of the same sweep added: one that both have counts what was done in both.
void join_extensions(const std::vector<Extension>& others, std::vector<Extension>& all);

/// The header without `localiser`.
SweepHeader read_design(ColumnReader* in);
std::vector<HeadRows> read_probe(ColumnReader* in);

std::vector<Location> read_locations(ColumnReader* in, h5::Rows rows, int heads);
std::vector<QuestionRow> read_questions(ColumnReader* in);
SweepHeader::Baseline read_baseline(ColumnReader* in, std::uint64_t fold);
std::vector<Reference> read_references(ColumnReader* in);
EditKind parse_edit(const std::string& text);
Labels parse_labels(const std::string& text);

}  // namespace headsweep
