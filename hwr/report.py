"""The report: everything that was measured on one split, as JSON and as one HTML page.

The summary, a plain dict, is what `report.json` holds, and, less the errors, what
`evaluate --record` writes into the model folder's metrics.json, from which the model card and
the page's Model tab are made:

    {"evaluation": {NAME: summary, ...}}

NAME is the name of the dataset's folder, with " (train)" or " (test)" after it where the split
is not validation. Shares are in 0..1, intervals are of 95 %. A summary holds

    split, reading          "validation"; "greedy, no list of names"
    n, exact, exact_low, exact_high, cer, cer_low, cer_high, substitutions, insertions,
    deletions, positional   the fields of `hwr.metrics.Score`; the three kinds of edits as counts
    dropped                 {reason: count}
    reliability             [{low, high, n, confidence, accuracy}], bins of confidence with
                            their mean confidence and share of right names; empty bins left out
    ece                     expected calibration error
    coverage                [{coverage, accuracy, threshold}], 101 points at most, coverage rising:
                            of the readings with a confidence of at least `threshold`, the share
                            `accuracy` is right, and they are the share `coverage` of all
    aurc                    area under the risk-coverage curve, 0 best
    coverage_at             [{precision, coverage, threshold}] for 0.95, 0.97 and 0.99: the largest
                            coverage at which at least that share is right; threshold null and
                            coverage 0 where there is none
    slices                  [{group, name, n, exact, exact_low, exact_high, cer, cer_low,
                            cer_high}], with `gold` in it the same fields, where there is one
    characters              [{character, n, right}], of the truths
    confusions              [{truth, read, count}], errors alone, most frequent first; `read` is ""
                            for a character left out, `truth` "" for one too many
    gold                    only with re-read labels: the fields of a score, dropped, reliability,
                            ece, coverage, aurc and coverage_at, against those labels

and in report.json alone

    errors                  [{file, truth, read, confidence, edits}], the surest first, with the
                            texts of the re-reading as `gold` where there is one
"""
