# Print what a month costs: request-based billing in US dollars, from cloud.google.com/run/pricing, tier 1.
# Variables: cpu; memory, as in 1Gi or 512Mi; ready, the minimum number of instances.

function above(free, used) {
    return used > free ? used - free : 0
}

# photo_s: processing time of a photo. start_s: time of a cold start, which one photo in a hundred needs.
function cost(photos, photo_s, start_s,    busy_s, idle, busy) {
    busy_s = photos * (photo_s + (ready ? 0 : start_s / 100))
    idle = ready * 30 * 86400 * (cpu + gib) * 0.0000025
    busy = above(180000, busy_s * cpu) * 0.000024 + above(360000, busy_s * gib) * 0.0000025
    return idle + busy + above(2000000, photos) * 0.0000004
}

BEGIN {
    gib = memory / (memory ~ /Gi$/ ? 1 : memory ~ /Mi$/ ? 1024 : memory ~ /G$/ ? 1.074 : 1074)
    print "Cost of a month, at Cloud Run's tier 1 prices of 2026, after the free tier:"
    split("0 10000 1000000", photos, " ")
    for (i = 1; i <= 3; i++) printf "  %9d photos  $%.2f\n", photos[i], cost(photos[i], 0.2, 3)
    printf "Assumptions: %g CPU and %g GiB, 0.2 s for each photo, one at a time; ", cpu, gib
    if (ready) printf "%d instances always ready.\n", ready
    else print "a cold start of 3 s for one photo in a hundred."
    print "Not included: outgoing traffic, and a few cents for the stored image."
}
