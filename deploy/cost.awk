# What a month costs. The prices are those of cloud.google.com/run/pricing: billed by request, tier 1, US dollars.
# Set with -v: cpu, memory (as gcloud writes it: 1Gi), ready (instances kept ready).

function beyond(free, used) {
    return used > free ? used - free : 0
}

# photo_s: how long a photo keeps an instance busy. start_s: how long a start does; one photo in a hundred meets one.
function cost(photos, photo_s, start_s,    busy_s, kept, work) {
    busy_s = photos * (photo_s + (ready ? 0 : start_s / 100))
    kept = ready * 30 * 86400 * (cpu + gib) * 0.0000025
    work = beyond(180000, busy_s * cpu) * 0.000024 + beyond(360000, busy_s * gib) * 0.0000025
    return kept + work + beyond(2000000, photos) * 0.0000004
}

BEGIN {
    gib = memory / (memory ~ /Gi$/ ? 1 : memory ~ /Mi$/ ? 1024 : memory ~ /G$/ ? 1.074 : 1074)
    print "A month costs, at Cloud Run's tier 1 prices of 2026 and after its free share:"
    split("0 10000 1000000", photos, " ")
    for (i = 1; i <= 3; i++) printf "  %9d photos  $%.2f\n", photos[i], cost(photos[i], 0.2, 3)
    printf "This takes %g CPU and %g GiB, photos one at a time, 0.2 s each; ", cpu, gib
    if (ready) printf "%d kept ready.\n", ready
    else print "a start of 3 s for one in a hundred."
    print "Not in it: traffic out, and some cents for the stored image."
}
