/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Two poles on a cart, steered by small networks that see no velocities: the equations of pole_balancing.py. */

#include <math.h>
#include <stdint.h>

static const float START = 0.0785398163f, TRACK = 2.4f, FALL = 0.628318531f, STEP = 0.01f;

static void slope(const float *s, float force, float *d) {
    float sine_1 = sinf(s[2]), cosine_1 = cosf(s[2]), sine_2 = sinf(s[4]), cosine_2 = cosf(s[4]);
    float fall_1 = 9.8f * sine_1 - 2e-6f / 0.05f * s[3], fall_2 = 9.8f * sine_2 - 2e-6f / 0.0005f * s[5];
    float push_1 = 0.05f * s[3] * s[3] * sine_1 - 0.075f * cosine_1 * fall_1;
    float push_2 = 0.0005f * s[5] * s[5] * sine_2 - 0.0075f * cosine_2 * fall_2;
    float mass = 1.0f + 0.1f * (1 - 0.75f * cosine_1 * cosine_1) + 0.01f * (1 - 0.75f * cosine_2 * cosine_2);
    float friction = 5e-4f * ((s[1] > 0) - (s[1] < 0));
    float pull = (force - friction + push_1 + push_2) / mass;
    d[0] = s[1], d[1] = pull;
    d[2] = s[3], d[3] = 1.5f * (fall_1 - pull * cosine_1);
    d[4] = s[5], d[5] = 15.0f * (fall_2 - pull * cosine_2);
}

static void ahead(const float *s, const float *d, float by, float *out) {
    for (int i = 0; i < 6; i++) out[i] = s[i] + by * d[i];
}

static void integrate(float *s, float force) {
    float a[6], b[6], c[6], d[6], t[6];
    slope(s, force, a);
    ahead(s, a, STEP / 2, t), slope(t, force, b);
    ahead(s, b, STEP / 2, t), slope(t, force, c);
    ahead(s, c, STEP, t), slope(t, force, d);
    for (int i = 0; i < 6; i++) s[i] += STEP / 6 * (a[i] + 2 * (b[i] + c[i]) + d[i]);
}

static float steer(const float *w, const float *s) {
    float x = s[0] / 4.8f, a = s[2] / 0.52f, b = s[4] / 0.52f, sum = w[40];
    for (int i = 0; i < 8; i++) sum += w[32 + i] * tanhf(w[3 * i] * x + w[3 * i + 1] * a + w[3 * i + 2] * b + w[24 + i]);
    return 10 * fminf(fmaxf(sum, -1), 1);
}

/* genes [n, 41]; writes to `played` [n] how many time steps each policy balances. */
void play(const float *genes, int n, int limit, int64_t *played) {
    for (int p = 0; p < n; p++) {
        float s[6] = {0, 0, START, 0, 0, 0};
        int step = 0;
        for (; step < limit; step++) {
            float force = steer(genes + 41 * p, s);
            integrate(s, force), integrate(s, force);
            if (!(fabsf(s[0]) <= TRACK && fabsf(s[2]) <= FALL && fabsf(s[4]) <= FALL)) break;
        }
        played[p] = step;
    }
}
