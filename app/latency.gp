# SPDX-License-Identifier: BSD-3-Clause
# latency.gp - picture of a run's cancel latencies: gnuplot -e "dir='FOLDER'" latency.gp
#
# Left axis: share of cancels in each bucket; right axis: share at or below. Readable in
# grey: thick strokes and a line.
set datafile separator ','
csv = dir . '/latency.csv'
stats csv using 3 skip 1 nooutput
total = STATS_sum
set terminal pngcairo size 1000,560 font 'sans,12'
set output dir . '/latency.png'
set title 'Cancel latency: from the call to the last aborted packet back at its sender (further left is better)'
set logscale x
set xlabel 'microseconds'
set format x '%g'
set ylabel 'share of cancels, %'
set y2label 'at or below, %'
set ytics nomirror
set y2tics 0,10,100
set y2range [0:100]
set yrange [0:*]
set grid xtics y2tics lc rgb '#dddddd'
set key left top
sum = 0
plot csv using (sqrt(($1 + 1) * $2) / 1000):(100.0 * $3 / total) skip 1 with impulses \
       lw 3 lc rgb '#888888' title sprintf('%d cancels', total), \
     csv using ($2 / 1000.0):(sum = sum + $3, 100.0 * sum / total) skip 1 axes x1y2 \
       with steps lw 2 lc rgb '#000000' title 'at or below (right)'
